"""Write an HTML report of the session."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trajectories.errors import UsageError

if TYPE_CHECKING:
    from extensions.interactive.session.session import Session

NOW = True
USAGE = "[FILE]"
GROUP = "session"


def run(session: Session, words: str) -> None:
    from agent.runs.run_lookup import open_own_run
    from agent.runs.run_report import report_path, write_report

    if session.engine is None:
        raise UsageError("There is nothing to report yet.", "Ask something first.")
    material = open_own_run(session.engine.journal.directory)
    target = report_path([material], Path(words).expanduser() if words else None, session.settings.reports)
    try:
        session.show(write_report([material], target.absolute(), session.engine.secrets))
    finally:
        material.close()
