"""Wall time and memory of a function before and after a change, in turn: they never rank it, but they can veto."""

from __future__ import annotations

import json
import shlex
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from aci.target import SESSION, Target, place, python_line
from aci.workspace import Workspace
from trajectories.errors import UsageError

ROUNDS = 5
SLOWER, LARGER = 1.05, 2.0
LEAST_BYTES = 10_000_000
"""Memory that is no matter, whatever the factor."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of all calls together in each round, and bytes of the call with the highest peak, before and after."""

    before: tuple[float, ...]
    after: tuple[float, ...]
    peaks: tuple[int, int]

    @property
    def ratio(self) -> float:
        """Seconds after to seconds before: the median of the pairs."""
        return statistics.median(after / before for before, after in zip(self.before, self.after, strict=True))

    @property
    def veto(self) -> str:
        """Why the change is not to be had, whatever was counted; empty if nothing speaks against it."""
        pairs = [after / before for before, after in zip(self.before, self.after, strict=True)]
        if min(pairs) > 1 and self.ratio > SLOWER:
            return f"it takes {self.ratio:.2f} times the seconds, in each of {len(pairs)} pairs of runs"
        before, after = self.peaks
        if after > LARGER * before and after - before > LEAST_BYTES:
            return f"its peak of memory grows from {before / 1e6:.1f} to {after / 1e6:.1f} MB"
        return ""


def compare(
    before: Workspace, after: Workspace, target: Target, calls: Sequence[bytes], timeout: float = 120.0
) -> Timing:
    """Time the pickled calls in both rooms, in turn. Raises UsageError where they cannot be run in `timeout` seconds
    a round."""
    rooms = (before, after)
    for room in rooms:
        for number, data in enumerate(calls):
            room.write(f"{_folder(room)}/{number:04}.pickle", data)
        place(room, "subject", "timed")
    seconds = [tuple(sum(_asked(room, target, timeout)) for room in rooms) for _ in range(ROUNDS)]
    first, second = (int(max(_asked(room, target, timeout, "memory"))) for room in rooms)
    for room in rooms:
        room.run(f"rm -rf {shlex.quote(_folder(room))}", session=SESSION)
    olds, news = zip(*seconds, strict=True)
    return Timing(olds, news, (first, second))


def _folder(room: Workspace) -> str:
    return f"{room.harness}/timed"


def _asked(room: Workspace, target: Target, timeout: float, *more: str) -> list[float]:
    words = [f"{room.harness}/subject/timed.py", room.root, target.path, target.name, _folder(room), *more]
    ran = room.run(f"{python_line(room, words, {'PYTHONHASHSEED': '0'})} 2>/dev/null", timeout, SESSION)
    try:
        found = json.loads(ran.output)
        return [float(value) for value in found]
    except (ValueError, TypeError):
        how = "in time" if ran.timed_out else f"(exit status {ran.code})"
        raise UsageError(f"{target} could not be timed {how}.", "See that it runs in the workspace.") from None
