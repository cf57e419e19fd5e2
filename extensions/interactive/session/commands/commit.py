"""Commit only what the session changed, on your branch or a new one; asks first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extensions.interactive.session import session_commit
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from extensions.interactive.session.session import Session

USAGE = "[--branch NAME] [MESSAGE]"
IN_EDITORS = "always"


def run(session: Session, words: str) -> None:
    first, _, rest = words.strip().partition(" ")
    if first != "--branch":
        session_commit.commit(session, words)
        return
    name, _, message = rest.strip().partition(" ")
    if not name:
        raise UsageError("--branch needs a name.", "Write /commit --branch NAME, and the message after it.")
    session_commit.commit_to_branch(session, name, message)
