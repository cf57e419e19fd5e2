"""Take back the last turn, or the last N, in files and conversation; /redo brings it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.session import applying
from agent.undoing import wanted
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from agent.session.session import Session

USAGE = "[N]"


def run(session: Session, words: str) -> None:
    request = f"/undo {words}".strip()
    wanted(request)
    if session.engine is None:
        raise UsageError("There is nothing to undo.", "Say what to do first.")
    session.turning.act(request, "undo")
    applying.tell_what_stands(session)
