"""Wall time and memory of a function before and after a change: memory can veto the change, time is only shown."""

from __future__ import annotations

import json
import math
import shlex
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from aci.runtime.guest_programs import install_programs
from aci.runtime.target_function import SESSION, Target, python_line
from aci.runtime.workspace import Workspace
from trajectories.errors import Cancelled, UsageError

ROUNDS = 3
LARGER = 2.0
LEAST_BYTES = 10_000_000
"""An increase in memory of up to this number of bytes is ignored, even if it exceeds the factor LARGER."""

MOST = 1e18
"""Upper limit of plausible seconds or bytes."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Total seconds of all calls in each round, and the largest peak memory of a call in bytes, before and after the
    change.

    `lost` explains why there are no times, if the calls run before the change but not after it.
    """

    before: tuple[float, ...]
    after: tuple[float, ...]
    peaks: tuple[int, int]
    lost: str = ""

    @property
    def ratio(self) -> float:
        """Median over the rounds of the ratio of the seconds after the change to the seconds before it; infinite if
        there are no rounds."""
        pairs = [after / before for before, after in zip(self.before, self.after, strict=True)]
        return statistics.median(pairs) if pairs else math.inf

    @property
    def veto(self) -> str:
        """The reason why the change must be rejected, whatever its instruction count; "" if there is none.

        Wall time is no reason: it depends on the machine's load."""
        if self.lost or not self.before:
            return self.lost or "it could not be timed"
        before, after = self.peaks
        if after > LARGER * before and after - before > LEAST_BYTES:
            return f"its peak of memory grows from {before / 1e6:.1f} to {after / 1e6:.1f} MB"
        return ""


def compare_timing(
    before: Workspace, after: Workspace, target: Target, calls: Sequence[bytes], timeout: float = 300.0
) -> Timing:
    """Time the pickled calls in both workspaces, alternately, for at most `timeout` seconds a round.

    Raises UsageError if there are no calls, or if they cannot run in time before the change. If they cannot run after
    it, `lost` gives the reason.
    """
    if not calls:
        raise UsageError(f"There are no calls of {target} to time.", "Give a workload that calls it.")
    rooms = (before, after)
    programs = tuple(install_programs(room.write, room.harness, "optimize.call_timing") for room in rooms)
    try:
        for room in rooms:
            for number, data in enumerate(calls):
                room.write(f"{_folder(room)}/{number:04}.pickle", data)
        return _run_rounds(rooms, programs, target, len(calls), timeout)
    finally:
        for room in rooms:
            room.run(f"rm -rf {shlex.quote(_folder(room))}", session=SESSION)


def _run_rounds(
    rooms: Sequence[Workspace], programs: Sequence[str], target: Target, calls: int, timeout: float
) -> Timing:
    seconds: list[tuple[float, float]] = []
    peaks = (0, 0)
    for more in [*[()] * ROUNDS, ("memory",)]:
        old = _measure(rooms[0], programs[0], target, calls, timeout, *more)
        try:
            new = _measure(rooms[1], programs[1], target, calls, timeout, *more)
        except UsageError as error:
            return Timing((), (), (0, 0), f"it can no longer be timed: {error.message}")
        if more:
            peaks = (int(max(old)), int(max(new)))
        else:
            seconds.append((sum(old), sum(new)))
    olds, news = zip(*seconds, strict=True)
    return Timing(olds, news, peaks)


def _folder(room: Workspace) -> str:
    return f"{room.harness}/timed"


def _measure(room: Workspace, programs: str, target: Target, calls: int, timeout: float, *more: str) -> list[float]:
    """Return the seconds or bytes of each call; the values are validated, since untrusted code ran in the process that
    reports them. Raises UsageError."""
    words = [programs, "optimize.call_timing", room.root, target.path, target.name, _folder(room), *more]
    ran = room.run(f"{python_line(room, words, {'PYTHONHASHSEED': '0'})} 2>/dev/null", timeout, SESSION)
    if ran.code == 130:
        raise Cancelled("The timing was interrupted.")
    try:
        found = json.loads(ran.output)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, list) and len(found) == calls and all(_is_measure(each, bool(more)) for each in found):
        return [float(each) for each in found]
    how = "in time" if ran.timed_out else f"(exit status {ran.code})"
    raise UsageError(f"{target} could not be timed {how}.", "Check that it runs in the workspace.")


def _is_measure(value: object, may_be_none: bool) -> bool:
    """Whether the value is a valid number of seconds or bytes; bytes may be 0."""
    return type(value) in (int, float) and 0 <= value < MOST and (may_be_none or value > 0)  # type: ignore[operator]
