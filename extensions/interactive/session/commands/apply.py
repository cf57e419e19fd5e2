"""Apply the session's changes to your files, hunk by hunk if you like; --undo reverts the last apply."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from extensions.interactive.session import applied_changes
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from extensions.interactive.session.session import Session

USAGE = "[PATH… | --undo]"
IN_EDITORS = "always"


def run(session: Session, words: str) -> None:
    try:
        paths = shlex.split(words)
    except ValueError as error:
        raise UsageError(f"{words!r} cannot be read: {error}.", "Quote paths that contain blanks.") from None
    if "--undo" not in paths:
        applied_changes.apply_changes(session, paths)
    elif len(paths) > 1:
        raise UsageError("--undo takes no path.", "It reverts the last apply as a whole.")
    else:
        applied_changes.undo_apply(session)
