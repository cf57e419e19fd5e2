"""Leave. The run stays: `swe-agent --resume` goes on with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.session.events import Wanted

if TYPE_CHECKING:
    from agent.session.session import Session

NOW = True
GROUP = "session"


def run(session: Session, words: str) -> None:
    session.hear(Wanted("quit"))
