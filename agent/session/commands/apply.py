"""Put the session's changes into your files, hunk by hunk if you like; --undo takes the last of it back."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from agent.session import applying
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from agent.session.session import Session

USAGE = "[PATH… | --undo]"


def run(session: Session, words: str) -> None:
    try:
        paths = shlex.split(words)
    except ValueError as error:
        raise UsageError(f"{words!r} cannot be read: {error}.", "Quote a path that holds blanks.") from None
    if "--undo" not in paths:
        applying.apply(session, paths)
    elif len(paths) > 1:
        raise UsageError("--undo takes no path.", "It takes back all that was applied last.")
    else:
        applying.take_back(session)
