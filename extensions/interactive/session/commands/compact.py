"""Replace the conversation by the model's summary of it; files stay. WORDS say what the summary should keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trajectories.errors import UsageError

if TYPE_CHECKING:
    from extensions.interactive.session.session import Session

USAGE = "[WORDS]"
GROUP = "what"
IN_EDITORS = "always"


def run(session: Session, words: str) -> None:
    if session.engine is None:
        raise UsageError("There is no conversation yet.", "Say what to do first.")
    session.turns.act(f"/compact {words}".strip(), "compact")
