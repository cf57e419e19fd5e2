"""Start a new run with the next request; this run is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from extensions.interactive.session.session import Session

ONLY_FOR_LATER = "always"
GROUP = "session"


def run(session: Session, words: str) -> None:
    before = session.engine.run.id if session.engine else ""
    session.turns.leave_for_other_run()
    session.show("A new run." + (f" The old one is kept; /resume {before} returns to it." if before else ""))
