"""Show the commands and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.session import commands

if TYPE_CHECKING:
    from agent.session.session import Session

NOW = True


def run(session: Session, words: str) -> None:
    lines = [f"- `{usage}`: {what}" for usage, what in commands.summaries()]
    session.tell("\n".join(lines), "markdown", "Help")
