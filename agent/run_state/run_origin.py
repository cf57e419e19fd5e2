"""Whether a run of the user's repeats or continues one that somebody else made."""

from __future__ import annotations

from agent.ownership import UNTRUSTED
from trajectories.trajectory import Trajectory


def has_untrusted_origin(trajectory: Trajectory) -> bool:
    """Whether the run replays or continues one that was not the user's own: some of its replies are not either."""
    return any(note.data.get(UNTRUSTED) for note in trajectory.notes)
