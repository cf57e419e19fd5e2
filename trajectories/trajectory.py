"""The records of one run, indexed: what strategies resume from and reports read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from trajectories.records import Exit, Hold, Note, Once, Record, Reply, Run, Settle, Step, Turn

ANEW = ("life", "forked")
"""Notes before which no time passed: the run was not worked on."""


class Trajectory:
    """Grows by `add`, never forgets. Reading it costs no file access."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self.records: list[Record] = []
        self.run: Run | None = None
        self.exit: Exit | None = None
        """How the last turn ended; None while it has not."""
        self.turns: list[Turn] = []
        self.turns_at: list[int] = []
        """Where each stands among the records."""
        self.holds: dict[str, Hold] = {}
        self.attempts: Counter[tuple[str, int]] = Counter()
        """Requests sent for an ask number of a branch, answered or not."""
        self.settles: dict[str, Settle] = {}
        self.replies: dict[tuple[str, int], Reply] = {}
        self.last_replies: dict[str, Reply] = {}
        """Of each branch."""
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
        """The records of the turns before the present one; none in a run of one turn."""
        return self.records[: self.turns_at[-1]] if len(self.turns) > 1 else []

    @property
    def of_turn(self) -> list[Record]:
        """The records of the present turn; all of a run of one turn."""
        return self.records[self.turns_at[-1] :] if len(self.turns) > 1 else self.records

    def all_steps(self) -> list[Step]:
        """The steps of every branch in the order they were written."""
        return [record for record in self.records if isinstance(record, Step)]

    def live_seconds(self) -> float:
        """How long processes worked on the run: time between stopping and resuming, or between turns, is not."""
        return _live(self.records)

    def turn_seconds(self) -> float:
        """As `live_seconds`, of the present turn."""
        return _live(self.of_turn)


def _live(records: Iterable[Record]) -> float:
    """What comes after a turn's end, up to the next turn, is done in no time of the run's: a user asked for it."""
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
