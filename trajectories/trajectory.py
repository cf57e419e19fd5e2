"""Indexed records of one run, which reports read and from which strategies resume."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from trajectories.records import Exit, Hold, Note, Once, Record, Reply, Run, Settle, Step, Turn

ANEW = ("life", "forked")
"""Kinds of notes that mark a new start; the time before them is not counted, because no process was working on the
run."""


class Trajectory:
    """The records of a run in memory. `add` appends a record; records are never removed."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self.records: list[Record] = []
        self.run: Run | None = None
        self.exit: Exit | None = None
        """The end of the last turn; None while that turn is still open."""
        self.turns: list[Turn] = []
        self.turns_at: list[int] = []
        """The index of each turn among the records."""
        self.holds: dict[str, Hold] = {}
        self.attempts: Counter[tuple[str, int]] = Counter()
        """Number of requests sent for each (branch, ask), answered or not."""
        self.settles: dict[str, Settle] = {}
        self.replies: dict[tuple[str, int], Reply] = {}
        self.last_replies: dict[str, Reply] = {}
        """The last reply of each branch."""
        self.steps: dict[str, list[Step]] = defaultdict(list)
        self.results: dict[tuple[str, str], Once] = {}
        self.notes: list[Note] = []
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        self.records.append(record)
        match record:
            case Step():
                self.steps[record.branch].append(record)
            case Reply():
                self.replies[record.branch, record.ask] = self.last_replies[record.branch] = record
            case Hold():
                self.holds[record.id] = record
                self.attempts[record.branch, record.ask] += 1
            case Settle():
                self.settles[record.hold] = record
            case Once():
                self.results.setdefault((record.branch, record.name), record)
            case Note():
                self.notes.append(record)
            case Turn():
                self.turns.append(record)
                self.turns_at.append(len(self.records) - 1)
                self.exit = None
            case Run():
                self.run = record
            case Exit():
                self.exit = record

    @property
    def before_turn(self) -> list[Record]:
        """The records of the turns before the current one; empty in a run with one turn."""
        return self.records[: self.turns_at[-1]] if len(self.turns) > 1 else []

    @property
    def of_turn(self) -> list[Record]:
        """The records of the current turn; all records in a run with one turn."""
        return self.records[self.turns_at[-1] :] if len(self.turns) > 1 else self.records

    def all_steps(self) -> list[Step]:
        """Return the steps of every branch in the order they were written."""
        return [record for record in self.records if isinstance(record, Step)]

    def live_seconds(self) -> float:
        """Return how long processes worked on the run, without the time between stop and resume or between turns."""
        return _live(self.records)

    def turn_seconds(self) -> float:
        """Return the same as `live_seconds`, but for the current turn only."""
        return _live(self.of_turn)


def _live(records: Iterable[Record]) -> float:
    """Sum up the seconds of work. Records between a turn's end and the next turn do not count, because they come from
    actions of the user."""
    total, start, last, turns, ended = 0.0, None, 0.0, 0, False
    for record in records:
        turns += isinstance(record, Turn)
        later = isinstance(record, Turn) and turns > 1
        if ended and not later:
            continue
        if start is None or later or (isinstance(record, Note) and record.kind in ANEW):
            total += last - start if start is not None else 0.0
            start = record.at
        last, ended = max(record.at, start), isinstance(record, Exit)
    return total + (last - start if start is not None else 0.0)
