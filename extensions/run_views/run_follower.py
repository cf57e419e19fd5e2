"""Live output of a run that another process works on, read from its journal."""

from __future__ import annotations

import time
from pathlib import Path

from agent.console.pager import Lines
from agent.run_state.run_ownership import is_own
from extensions.run_views.run_transcript import TranscriptPrinter
from trajectories.errors import Cancelled, TryLater
from trajectories.journal import Lines as Records
from trajectories.journal import first_record, lock_run
from trajectories.records import Spent
from trajectories.trajectory import RunView, Trajectory, replay_of

PAUSE = 0.2
"""Seconds between reads of the journal."""
QUIET = 1.0
"""Seconds without new records after which the run's lock is checked."""


def follow_run(directory: Path, out: Lines, state: Path | None = None) -> int:
    """Print a run's records as they arrive, until no process works on the run; return 0, or 130 after an interrupt.

    If the `state` folder is given, an untrusted run is marked as untrusted and its lock is not taken. Raises UsageError
    if there is no such run or it was removed; also raises RunBroken and WorkspaceError.
    """
    tail = Records(directory / "journal.jsonl")
    trajectory = Trajectory(tail.new())
    first_record(trajectory, directory)
    untrusted = state is not None and not is_own(directory, trajectory, state)
    material = RunView(directory.name, trajectory, Spent(None, 0, 0, 0, 0), directory, untrusted=untrusted)
    showing = TranscriptPrinter(material, out, live=True)
    showing.heading()
    for record in trajectory.records:
        showing.record(record)
    try:
        _follow(tail, showing, trajectory, out, None if untrusted else directory)
    except KeyboardInterrupt:
        return Cancelled.code
    if trajectory.exit is None:
        hint = "" if replay_of(trajectory) else f"; `swe-agent resume {directory.name}` resumes it"
        out.line(f"No process works on this run now{hint}.")
    return 0


def _follow(
    tail: Records, showing: TranscriptPrinter, trajectory: Trajectory, out: Lines, directory: Path | None
) -> None:
    since = time.monotonic()
    while True:
        out.file.flush()
        asks = time.monotonic() - since > QUIET
        left = asks and not (directory and is_held(directory))
        news = list(tail.new())  # read after checking the lock, so that the last records are shown
        if left and not news:
            return
        if news or asks:
            since = time.monotonic()
        for record in news:
            trajectory.add(record)
            showing.record(record)
        time.sleep(PAUSE)


def is_held(directory: Path) -> bool:
    """Return whether another process works on the run."""
    try:
        lock_run(directory).release()
    except TryLater:
        return True
    except OSError:  # unknown, because the folder is not writable or was removed
        return False
    return False
