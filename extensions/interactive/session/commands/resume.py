"""Resume the interrupted turn, or another run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.runs.resumable_runs import runs_of
from extensions.interactive.session.session_events import FrontEndRequested
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from extensions.interactive.session.session import Session

USAGE = "[RUN]"
ONLY_FOR_LATER = "with words"
GROUP = "session"
IN_EDITORS = "alone"


def run(session: Session, words: str) -> None:
    if words:
        directory = session.settings.run_directory(words)
        if session.engine is not None and session.engine.journal.directory == directory:
            raise UsageError("That is the current run.", "Continue with it, or name another run.")
        session.turns.take_up(directory)
    elif session.engine is not None and session.engine.trajectory.exit is None:
        session.turns.go_on()
    else:
        session.hear(FrontEndRequested("runs"))


def completions(session: Session, words: str) -> list[tuple[str, str]]:
    return [(found.name, found.title) for found in runs_of(session.settings.runs, session.start.source.root)[:30]]
