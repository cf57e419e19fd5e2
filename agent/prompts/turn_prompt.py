"""What a turn of a conversation says to the model first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.moves.opening import opening

if TYPE_CHECKING:
    from agent.task import Task

PLAN = "plan"
MODES = (PLAN, "build")
FIRST = ("task", "compact")
"""Authors of steps after which the model knows what it is about."""


def asked(task: Task, after_plan: str = "") -> str:
    """The user's words; where nothing was said before them, with where things are, and `after_plan` in a turn after one
    in which nothing was to be changed."""
    if not any(step.author in FIRST for step in task.conversation):
        words: str = task.once("opening", lambda: opening(task))
        return words
    turns = task.engine.trajectory.turns
    before = next((turn.strategy for turn in reversed(turns[:-1]) if turn.strategy in MODES), "")
    return f"{task.words}\n\n{after_plan}" if after_plan and before == PLAN else task.words
