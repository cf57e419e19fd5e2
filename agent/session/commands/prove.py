"""Run the whole proof of what the session has come to; nothing else is called verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trajectories.errors import UsageError

if TYPE_CHECKING:
    from agent.session.session import Session

GROUP = "what"


def run(session: Session, words: str) -> None:
    if session.engine is None:
        raise UsageError("Nothing was changed yet.", "Say what to do first.")
    session.turning.act("/prove", "prove")
