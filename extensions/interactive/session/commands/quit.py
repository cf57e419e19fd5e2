"""Leave the session. The run is kept: `swe-agent --resume` resumes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from extensions.interactive.session.session import Session

NOW = True
ONLY_FOR_LATER = "always"
GROUP = "session"


def run(session: Session, words: str) -> None:
    session.leave()
