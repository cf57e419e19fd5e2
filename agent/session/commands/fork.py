"""Go on in a new run that has all of this one so far; this one stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.session.session import Session

GROUP = "session"


def run(session: Session, words: str) -> None:
    name = session.turning.fork()
    session.tell(f"This is a new run now. The old one is as it was: /resume {name} goes back to it.")
