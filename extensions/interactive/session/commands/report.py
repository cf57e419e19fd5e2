"""Write an HTML report of the session."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trajectories.errors import UsageError
from trajectories.plugins import extension_module

if TYPE_CHECKING:
    from extensions.interactive.session.session import Session

NOW = True
USAGE = "[FILE]"
GROUP = "session"


def run(session: Session, words: str) -> None:
    from agent.runs.run_lookup import open_own_run

    reports = extension_module("agent.runs.report", "`/report`", "report")
    if session.engine is None:
        raise UsageError("There is nothing to report yet.", "Ask something first.")
    material = open_own_run(session.engine.journal.directory)
    target = reports.report_path([material], Path(words).expanduser() if words else None, session.settings.reports)
    try:
        session.show(reports.write_report([material], target.absolute(), session.engine.secrets))
    finally:
        material.close()
