"""The plain loop: one conversation until the model submits, then the proof. Based on ReAct (arXiv 2210.03629)."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from agent.engine.loop import loop
from agent.engine.proof_step import expect_proof
from agent.phases.user_reproduction import given_tests
from agent.prompts.opening_prompt import likely_sources, opening

if TYPE_CHECKING:
    from agent.engine.task import Task
    from agent.run_state.attempt_outcome import Outcome
    from trajectories.records import Step

ROLES = ("coder",)
SOURCE = "ReAct (arXiv 2210.03629), SWE-agent (arXiv 2405.15793), mini-swe-agent"
WHEN = "the model is strong and the issue small, or as a baseline for comparisons"


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Ask and act until `submit`, then prove the result."""
    given = yield from given_tests(task)
    yield task.say(task.once("opening", lambda: opening(task.branch)))
    expect_proof(task.branch, given, likely_sources(task.branch))
    yield from loop(task.branch)
    yield from task.prove(given, likely_sources(task.branch))
    return task.best()
