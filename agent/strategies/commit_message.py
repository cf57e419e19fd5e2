"""A commit message written by the model, for a session's `/commit`.

The model reads the turn's attachments (requests, recent commit messages, diff) in a conversation of its own.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from agent.prompts.quotation import framed_attachments
from agent.run_state.attempt_outcome import Outcome
from trajectories.verdict import Verdict

if TYPE_CHECKING:
    from agent.engine.task import Task
    from trajectories.records import Step

ROLES = ("coder",)
STAYS = BY_HAND = LOOKS = APART = True


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Ask once for the message; its step is not shown, because the user sees the message in the question."""
    branch = task.branch.beside("message")
    branch.say(framed_attachments(task.turn.issue))
    branch.step(branch.ask(tools=False), ())
    yield from ()
    return Outcome(task.tree, Verdict(), "done")
