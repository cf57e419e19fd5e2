"""The first message of a turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.prompts.opening_prompt import opening

if TYPE_CHECKING:
    from agent.engine.task import Task

PLAN = "plan"
MODES = (PLAN, "build")
FIRST = ("task", "compact")
"""Authors of the steps that pass the request to the model."""


def turn_prompt(task: Task, after_plan: str = "") -> str:
    """Return the user's message, or the full initial message if the conversation has none yet.

    `after_plan` is added in the first turn after plan mode.
    """
    if not any(step.author in FIRST for step in task.conversation):
        words: str = task.once("opening", lambda: opening(task))
        return words
    turns = task.engine.trajectory.turns
    before = next((turn.strategy for turn in reversed(turns[:-1]) if turn.strategy in MODES), "")
    return f"{task.words}\n\n{after_plan}" if after_plan and before == PLAN else task.words
