"""A turn of a session that may change files: until the model answers in words or submits; then what passed before must
still pass. That shows no loss and no more: `/prove` runs the whole proof. The loop is ReAct's (arXiv 2210.03629), the
modes build and plan are OpenCode's.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from agent.loop import answered, loop, submitted
from agent.moves.opening import opening
from agent.outcome import Outcome
from trajectories.records import Verdict

if TYPE_CHECKING:
    from agent.task import Task
    from trajectories.records import Step

ROLES = ("coder",)


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Ask, act, until the model has no more to do; then the regression tests, if files were changed."""
    first = not task.steps
    yield task.say(task.once("opening", lambda: opening(task)) if first else task.issue.text)
    last = yield from loop(task, lambda step: answered(step) or submitted(step), nudge=())
    if task.tree == task.start:
        return Outcome(task.tree, Verdict(), "answered")
    verdict = yield from task.prove(reproduces=False)
    return Outcome(task.tree, verdict, "" if submitted(last) else "answered")
