"""Set the mode of the next turns: build changes files, plan only reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extensions.interactive.session.session_events import StatusChanged
from extensions.interactive.session.session_start import MODES
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from extensions.interactive.session.session import Session

NOW = True
USAGE = "build|plan"
ONLY_FOR_LATER = "always"
GROUP = "how"
IN_EDITORS = "always"


def completions(session: Session, words: str) -> list[str]:
    return ["build", "plan"]


def run(session: Session, words: str) -> None:
    if words not in MODES:
        what = f"There is no mode {words!r}" if words else f"The mode is {session.mode}"
        raise UsageError(f"{what}.", "Write /mode build, or /mode plan.")
    session.mode = words
    session.hear(StatusChanged())
