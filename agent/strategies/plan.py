"""A read-only turn of a session: it answers with a plan, an explanation or questions.

Based on OpenCode's plan mode.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from agent.engine.loop import is_answer, loop
from agent.engine.permission_checks import Scope
from agent.prompts.opening_prompt import turn_prompt
from agent.run_state.attempt_outcome import Outcome
from trajectories.verdict import Verdict

if TYPE_CHECKING:
    from agent.engine.task import Task
    from trajectories.records import Step

ROLES = ("coder",)
STAYS = True
PROMPTS = "build"
"""The strategy whose prompts are used, so that a session that changes its mode keeps the prompt prefix that the
provider has cached."""
READ_ONLY = "[Plan mode: you may read and run anything; changes to files are refused. Answer in words.]"


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Ask and act, without changing files, until the model answers."""
    task.branch.scope = Scope(nothing=True)
    yield task.say(f"{turn_prompt(task.branch)}\n\n{READ_ONLY}")
    yield from loop(task.branch, is_answer, nudge=())
    return Outcome(task.tree, Verdict(), "answered")
