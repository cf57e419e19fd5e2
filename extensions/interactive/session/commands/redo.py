"""Restore what /undo reverted, unless there was another request since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.run_state.rewind import undo_count
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from extensions.interactive.session.session import Session

USAGE = "[N]"
IN_EDITORS = "always"


def run(session: Session, words: str) -> None:
    request = f"/redo {words}".strip()
    undo_count(request)
    if session.engine is None:
        raise UsageError("There is nothing to redo.", "/redo restores what /undo reverted.")
    session.turns.act(request, "undo")
