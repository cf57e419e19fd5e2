"""Empty the conversation; the files stay. /undo restores it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extensions.interactive.strategies.rewind import CLEAR
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from extensions.interactive.session.session import Session

GROUP = "what"
IN_EDITORS = "always"


def run(session: Session, words: str) -> None:
    if session.engine is None:
        raise UsageError("There is no conversation yet.", "Say what to do first.")
    session.turns.act(CLEAR, "rewind")
