"""Choose the colours, or see which there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.session.events import Wanted

if TYPE_CHECKING:
    from agent.session.session import Session

NOW = True
USAGE = "[NAME]"
GROUP = "session"


def run(session: Session, words: str) -> None:
    session.hear(Wanted("theme", words))
