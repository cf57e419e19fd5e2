"""Continue in a new run with a copy of this run's history; this run is not changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from extensions.interactive.session.session import Session

GROUP = "session"


def run(session: Session, words: str) -> None:
    name = session.turns.fork()
    session.show(f"This is a new run now. The old one is unchanged; /resume {name} returns to it.")
