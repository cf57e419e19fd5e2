"""A run as it goes on in another process: what its journal gets is told as it comes."""

from __future__ import annotations

import time
from pathlib import Path

from agent.paging import Lines
from agent.showing import Showing
from trajectories.errors import Cancelled, TryLater
from trajectories.journal import Lines as Records
from trajectories.journal import first_record, locked
from trajectories.material import Material
from trajectories.records import Record, Spent
from trajectories.trajectory import Trajectory

PAUSE = 0.2
"""Seconds between looks at the journal."""
QUIET = 1.0
"""Seconds without news after which it is asked whether anybody still works on the run."""


class Tail:
    """What a journal has got since the last look: whole records only. Raises RunBroken for one that is damaged."""

    def __init__(self, directory: Path) -> None:
        self._lines = Records(directory / "journal.jsonl")

    def new(self) -> list[Record]:
        with self._lines.path.open("rb") as file:
            file.seek(self._lines.end)
            return list(self._lines.records(file))


def follow(directory: Path, out: Lines) -> int:
    """Tell the run until nobody works on it any more; 130 for who leaves it first."""
    tail = Tail(directory)
    trajectory = Trajectory(tail.new())
    first_record(trajectory, directory)
    showing = Showing(Material(directory.name, trajectory, Spent(None, 0, 0, 0, 0), directory), out, live=True)
    showing.heading()
    for record in trajectory.records:
        showing.record(record)
    try:
        _follow(tail, showing, trajectory, out, directory)
    except KeyboardInterrupt:
        return Cancelled.code
    if trajectory.exit is None:
        out.line(f"Nobody works on it now; `swe-agent resume {directory.name}` goes on with it.")
    return 0


def _follow(tail: Tail, showing: Showing, trajectory: Trajectory, out: Lines, directory: Path) -> None:
    since = time.monotonic()
    while True:
        out.file.flush()
        if news := tail.new():
            since = time.monotonic()
        elif time.monotonic() - since > QUIET:
            if not is_held(directory) and not tail.new():
                return
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
    except OSError:  # of a folder that we may not write nobody knows
        return False
    return False
