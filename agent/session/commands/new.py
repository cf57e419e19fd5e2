"""Begin a new run with the next request; this one stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.session.session import Session

GROUP = "session"


def run(session: Session, words: str) -> None:
    before = session.engine.run.id if session.engine else ""
    session.turning.leave()
    session.drop()
    session.tell("A new run." + (f" The old one is as it was: /resume {before} goes back to it." if before else ""))
