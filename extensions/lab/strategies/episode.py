"""An episode of the Gym: one conversation until the model submits, without a proof, since the instance's own tests
grade the patch. Based on ReAct (arXiv 2210.03629)."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from agent.engine.loop import loop
from agent.prompts.opening_prompt import opening

if TYPE_CHECKING:
    from agent.engine.task import Task
    from agent.run_state.attempt_outcome import Outcome
    from trajectories.records import Step

ROLES = ("coder",)
PROMPTS = "react"


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Ask and act until `submit`."""
    yield task.say(task.once("opening", lambda: opening(task.branch)))
    yield from loop(task.branch)
    return task.best()
