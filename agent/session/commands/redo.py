"""Bring again what /undo took back, as long as nothing else was said since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.undoing import wanted
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from agent.session.session import Session

USAGE = "[N]"


def run(session: Session, words: str) -> None:
    request = f"/redo {words}".strip()
    wanted(request)
    if session.engine is None:
        raise UsageError("There is nothing to redo.", "It brings back what /undo took.")
    session.turning.act(request, "undo")
