"""A run as it goes on in another process: what its journal gets is told as it comes."""

from __future__ import annotations

import time
from pathlib import Path

from agent.ownership import is_own
from agent.paging import Lines
from agent.showing import Showing
from trajectories.errors import Cancelled, TryLater
from trajectories.journal import Lines as Records
from trajectories.journal import first_record, locked
from trajectories.material import Material
from trajectories.parting import replay_of
from trajectories.records import Spent
from trajectories.trajectory import Trajectory

PAUSE = 0.2
"""Seconds between looks at the journal."""
QUIET = 1.0
"""Seconds without news after which it is asked whether anybody still works on the run."""


def follow(directory: Path, out: Lines, state: Path | None = None) -> int:
    """Tell the run until nobody works on it any more; 130 for who leaves it first. Raises UsageError where there is
    none, or none any more, RunBroken and WorkspaceError. With the `state` folder given, another's run is shown as such,
    and its lock is not taken."""
    tail = Records(directory / "journal.jsonl")
    trajectory = Trajectory(tail.new())
    first_record(trajectory, directory)
    untrusted = state is not None and not is_own(directory, trajectory, state)
    material = Material(directory.name, trajectory, Spent(None, 0, 0, 0, 0), directory, untrusted=untrusted)
    showing = Showing(material, out, live=True)
    showing.heading()
    for record in trajectory.records:
        showing.record(record)
    try:
        _follow(tail, showing, trajectory, out, None if untrusted else directory)
    except KeyboardInterrupt:
        return Cancelled.code
    if trajectory.exit is None:
        goes_on = "" if replay_of(trajectory) else f"; `swe-agent resume {directory.name}` goes on with it"
        out.line(f"Nobody works on it now{goes_on}.")
    return 0


def _follow(tail: Records, showing: Showing, trajectory: Trajectory, out: Lines, directory: Path | None) -> None:
    since = time.monotonic()
    while True:
        out.file.flush()
        asks = time.monotonic() - since > QUIET
        left = asks and not (directory and is_held(directory))
        news = list(tail.new())  # behind that question: what was written before the end is told
        if left and not news:
            return
        if news or asks:
            since = time.monotonic()
        for record in news:
            trajectory.add(record)
            showing.record(record)
        time.sleep(PAUSE)


def is_held(directory: Path) -> bool:
    """Whether another process works on the run."""
    try:
        locked(directory).release()
    except TryLater:
        return True
    except OSError:  # of a folder that we may not write, or that is gone, nobody knows
        return False
    return False
