"""The commit that a follow-up starts from, as recorded: the head of the pull request or of the branch whose CI failed.

A follow-up is one turn of a run, and the turn that proves its changes. Later turns, of a session, use the user's files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trajectories.records import Note, Turn

if TYPE_CHECKING:
    from trajectories.trajectory import Trajectory

HEAD = "head_commit"
"""Key in the data of the note before a follow-up's turn."""
BUILD, PROVE = "build", "prove"
"""The strategies of a follow-up's two turns."""


def follow_up_head(trajectory: Trajectory) -> str:
    """Return the commit that the current turn follows up, or "" if it is no turn of a follow-up."""
    later: list[Turn] = []
    for record in reversed(trajectory.records):
        if isinstance(record, Turn):
            later.append(record)
        elif isinstance(record, Note) and HEAD in record.data:
            is_current = len(later) <= 2 and all(turn.strategy == PROVE for turn in later[:-1])
            return str(record.data[HEAD]) if is_current else ""
    return ""
