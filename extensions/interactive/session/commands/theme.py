"""Choose a colour theme, or list the themes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extensions.interactive.session.session_events import FrontEndRequested

if TYPE_CHECKING:
    from extensions.interactive.session.session import Session

NOW = True
USAGE = "[NAME]"
ONLY_FOR_LATER = "always"
GROUP = "session"


def run(session: Session, words: str) -> None:
    session.hear(FrontEndRequested("theme", words))
