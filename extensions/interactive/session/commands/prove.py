"""Run the full proof of the session's changes, and show its verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trajectories.errors import UsageError

if TYPE_CHECKING:
    from extensions.interactive.session.session import Session

GROUP = "what"
IN_EDITORS = "always"


def run(session: Session, words: str) -> None:
    if session.engine is None:
        raise UsageError("There are no changes yet.", "Say what to do first.")
    session.turns.act("/prove", "prove")
