"""Write an AGENTS.md for this repository among the session's changes, without a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from extensions.interactive.session.session import Session


def run(session: Session, words: str) -> None:
    session.turns.act("/init", "init")
