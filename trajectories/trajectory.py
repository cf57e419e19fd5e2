"""Indexed records of one run, and a read-only view of its records, files and requests for reports and exports."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trajectories.file_limits import read_limited
from trajectories.records import Exit, Hold, Note, Once, Patch, Record, Reply, Run, Settle, Spent, Step, Turn

if TYPE_CHECKING:
    from trajectories.git_store.trees import Trees


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

    def request_time(self, step: Step) -> float | None:
        """Return when the request that a step answers was first sent; None for a step without a request."""
        hold = self.holds.get(f"{step.branch}?{step.reply}.1")
        return hold.at if hold else None

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


Message = dict[str, Any]
"""A message of a conversation, in OpenAI's chat format."""
HAND = "hand"
"""The author of actions that the user runs by hand."""
REPLAY = "replay"
"""The kind of the note that names the run being replayed."""
PROPOSAL = "proposal"
"""The kind of the note for a patch that was given to the run, and not made by it."""
NOT_CHECKED = "Recorded by someone else; not verified here."
"""Remark on the results of a run that is not the user's own."""
Requests = Callable[[str], Iterator[Sequence[Message]]]
Answers = Callable[[str], Iterator[Message | None]]


def replay_of(trajectory: Trajectory) -> str:
    """Return the name of the run that this one replays; "" if it is not a replay."""
    return next((str(note.data.get("run", "")) for note in trajectory.notes if note.kind == REPLAY), "")


def no_requests(branch: str) -> Iterator[Sequence[Message]]:
    """Return no requests, for a run that called no model."""
    return iter(())


def no_answers(branch: str) -> Iterator[None]:
    return repeat(None)


def call_id(given: str, other: str, taken: set[str]) -> str:
    """Return a unique id for a tool call, and add it to `taken`. It is the provider's id, or `other` if that id is
    empty or in use: some servers restart their numbering with each reply, and others reject duplicate ids."""
    name = given if given and given not in taken else other
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def observation_message(step: Step) -> str:
    """Return the message for the next request that contains a step's observations, if native tool calls are not used.
    Actions that the model wrote as text in its reply are not repeated."""
    who = "The user" if step.author == HAND else step.author
    own = step.actions if step.reply is None else ()
    done = [f"{who} called {action.tool}({json.dumps(action.arguments)})" for action in own]
    return "\n".join([*done, *(observation.text for observation in step.observations)])


def empty_patch() -> Patch:
    return Patch()


@dataclass(frozen=True)
class RunView:
    """A read-only view of a run. `name` is the run's name, or the file name of an imported trajectory, which has
    neither `directory` nor `trees`.

    `requests(branch)` yields the messages of each request of the branch, in the order of the replies; the messages are
    empty if they are unknown. No request contains the last reply. The requests share their messages, so do not modify
    them. `answers(branch)` yields each reply in the form in which the original program of an imported trajectory sent
    it back to the model, or None if the record itself is complete. `patch()` is the submitted patch, or the current one
    of a run that has not ended. An `untrusted` run is not the user's own: its verdicts are shown as claims and prove
    nothing.
    """

    name: str
    trajectory: Trajectory
    spent: Spent
    directory: Path | None = None
    trees: Trees | None = None
    requests: Requests = no_requests
    answers: Answers = no_answers
    patch: Callable[[], Patch] = empty_patch
    untrusted: bool = False

    @property
    def is_ours(self) -> bool:
        return self.directory is not None

    def output(self, number: int) -> bytes:
        """Return the full output at `out:number`. Raises OSError if it cannot be read, and UsageError if it is too
        large."""
        if self.directory is None:
            raise FileNotFoundError(f"out:{number}")
        return read_limited(self.directory / "out" / str(number), inside=self.directory)

    def close(self) -> None:
        """Stop the process that reads the run's trees."""
        if self.trees is not None:
            self.trees.close()
