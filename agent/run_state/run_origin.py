"""The origin of a run: whether it replays or continues an untrusted one."""

from __future__ import annotations

from agent.run_state.run_ownership import UNTRUSTED
from trajectories.trajectory import Trajectory


def has_untrusted_origin(trajectory: Trajectory) -> bool:
    """Return whether the run replays or continues one that is not the user's own, so that some of its replies are
    untrusted."""
    return any(note.data.get(UNTRUSTED) for note in trajectory.notes)
