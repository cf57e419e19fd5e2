"""Write the session as a page for a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trajectories.errors import UsageError

if TYPE_CHECKING:
    from agent.session.session import Session

NOW = True
USAGE = "[FILE]"
GROUP = "session"


def run(session: Session, words: str) -> None:
    from agent.material import of_run
    from agent.reporting import report, target_of

    if session.engine is None:
        raise UsageError("There is nothing to tell of yet.", "Ask something first.")
    material = of_run(session.engine.journal.directory)
    target = target_of([material], Path(words).expanduser() if words else None).absolute()
    try:
        session.tell(report([material], target, session.engine.secrets))
    finally:
        material.close()
