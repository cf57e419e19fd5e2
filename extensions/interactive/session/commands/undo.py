"""Undo the last turn, or the last N, in files and conversation; /redo restores it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.run_state.rewind import undo_count
from extensions.interactive.session import applied_changes
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from extensions.interactive.session.session import Session

USAGE = "[N]"
IN_EDITORS = "always"


def run(session: Session, words: str) -> None:
    request = f"/undo {words}".strip()
    undo_count(request)
    if session.engine is None:
        raise UsageError("There is nothing to undo.", "Say what to do first.")
    session.turns.act(request, "undo")
    applied_changes.report_applied_changes(session)
