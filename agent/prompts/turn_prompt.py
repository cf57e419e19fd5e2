"""The first message of a turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.engine.run_memory import run_memory
from agent.prompts.opening_prompt import opening
from agent.prompts.quotation import framed_attachments
from agent.run_state.rewind import visible_steps

if TYPE_CHECKING:
    from agent.engine.branch import Branch

PLAN = "plan"
MODES = (PLAN, "build")
FIRST = ("task", "compact")
"""Authors of the steps that pass the request to the model."""


def turn_prompt(branch: Branch, after_plan: str = "") -> str:
    """Return the user's message, or the full initial message if the conversation has none yet.

    `after_plan` is added in the first turn after plan mode.
    """
    if not any(step.author in FIRST for step in visible_steps(branch.steps)):
        words: str = branch.once("opening", lambda: opening(branch))
        return words
    turns = branch.engine.trajectory.turns
    before = next((turn.strategy for turn in reversed(turns[:-1]) if turn.strategy in MODES), "")
    parts = [
        branch.turn.request,
        framed_attachments(branch.turn.issue),
        after_plan if before == PLAN else "",
        run_memory().new_notes(branch),
    ]
    return "\n\n".join(filter(None, parts))
