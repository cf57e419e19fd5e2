"""A function on the bench: the calls that it is judged by, and what a candidate for its place comes to."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from aci.counting import Counts, Workload, comparable, count_calls, count_workload, counting_room
from aci.efficiency import Growth, fit
from aci.equivalence import Answer, answers, differences, is_telling
from aci.guards import doubts
from aci.inputs import Call, grow, record, widen
from aci.target import SESSION, Target
from aci.timing import Timing, compare
from agent.moves.contract import breach
from trajectories.errors import UsageError, WorkspaceError
from trajectories.rewards import MISSING_ENTITY, UNFORMATTED, WRONG

if TYPE_CHECKING:
    from aci.workspace import Workspace
    from agent.task import Task

KNOWN, UNSEEN = 160, 120
"""Calls that a candidate is judged by as it comes, and others for the last check, which nobody has seen."""
MEASURED = 4
SIZES = (64, 128, 256, 512, 1024)
FINAL_SEEDS, UNSEEN_SEEDS = (0, 1, 2), (1, 2)
COUNTING = 900.0
"""Seconds for the instructions of a whole workload, which takes some 40 times as long as it does uncounted."""

RIGHT, MOST_WORDS = "right", 6
SCORES = {"wrong": WRONG, "missing": MISSING_ENTITY, "unusable": UNFORMATTED}


@dataclass(frozen=True, slots=True)
class Judged:
    """What a candidate came to: `right`, `wrong`, `missing`, `unusable` or `doubted`, with `why` in words.

    `cost` is the instructions of its warm calls, as often as they came; `cold` those of a first call of each; `lines`
    those of its diff.
    """

    what: str
    tree: str
    status: str
    why: tuple[str, ...] = ()
    backend: str = ""
    cost: int = 0
    cold: int = 0
    growth: Growth | None = None
    lines: int = 0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def load_judged(value: Mapping[str, Any]) -> Judged:
    """A judgement as the journal holds it."""
    growth = value["growth"]
    if growth is not None:
        growth = Growth(**_with_tuples(growth))
    return Judged(**{**value, "why": tuple(value["why"]), "growth": growth})


class Bench:
    """The target at `tree`, in two rooms where only our commands run. Everything the task is told of it is recorded."""

    def __init__(self, task: Task, target: Target, tree: str, command: str) -> None:
        self.task, self.target, self.tree, self.command = task, target, tree, command
        self.workload_name = task.settings.benchmark or command
        self._rooms: dict[str, Workspace] = {}

    def close(self) -> None:
        for tree in list(self._rooms):
            self._rooms.pop(tree).close()

    @property
    def before(self) -> Workspace:
        return self.room_at(self.tree)

    def room_at(self, tree: str) -> Workspace:
        """The room in which the function is as it was, or a fresh one: a candidate may have left something running."""
        if tree not in self._rooms:
            for other in [each for each in self._rooms if each != self.tree]:
                self._rooms.pop(other).close()
            self._rooms[tree] = counting_room(self.task.workspace, tree)
        return self._rooms[tree]

    # The calls

    @cached_property
    def calls(self) -> dict[str, tuple[Call, ...]]:
        """`known`, `unseen` and `grown` calls; without any known one, nothing can be said of the target."""
        kept = self.task.once(f"calls {self.target}", self._keep_calls)
        data = json.loads(self.task.engine.journal.recall(kept["out"]))
        return {kind: tuple(_load(each) for each in found) for kind, found in data.items()}

    def _keep_calls(self) -> dict[str, Any]:
        said: list[str] = []
        timeout, say = self.task.settings.test_timeout, said.append
        seen = record(self.before, self.target, self.command, timeout=timeout, say=say)
        found: dict[str, tuple[Call, ...]] = {"known": (), "unseen": (), "grown": ()}
        if seen:
            known = self._steady((*seen, *widen(self.before, self.target, seen, KNOWN, 1)))
            unseen = self._steady(widen(self.before, self.target, seen, UNSEEN, 2, "unseen"))
            found = {"known": known, "unseen": unseen, "grown": grow(self.before, self.target, seen, SIZES, say=say)}
        kept = {kind: [_dump(each) for each in calls] for kind, calls in found.items()}
        return {"out": self.task.engine.journal.keep(json.dumps(kept).encode()), "said": said}

    @property
    def words(self) -> str:
        """What was said while calls were recorded and grown: why there are none, or not more."""
        return " ".join(self.task.once(f"calls {self.target}", self._keep_calls)["said"])

    def _steady(self, calls: Sequence[Call]) -> tuple[Call, ...]:
        """The calls that a candidate can be held to: they have an answer, and it is the same under two hash seeds."""
        once, twice = (answers(self.before, self.target, calls, hash_seed=seed) for seed in (0, 1))
        same = zip(calls, once, twice, strict=True)
        return tuple(call for call, first, second in same if is_telling(first) and not differences([first], [second]))

    @cached_property
    def measured(self) -> tuple[Call, ...]:
        """The recorded calls that are counted: the largest, and some between it and the smallest."""
        real = [call for call in self.calls["known"] if call.origin in ("recorded", "test")]
        by_size = sorted(real or self.calls["known"], key=lambda call: len(call.data), reverse=True)
        step = max(len(by_size) // MEASURED, 1)
        return tuple(by_size[::step][:MEASURED])

    @cached_property
    def _answers(self) -> tuple[Answer, ...]:
        return answers(self.before, self.target, self.calls["known"])

    # Judgements

    def baseline(self) -> Judged:
        return load_judged(self.task.once(f"baseline {self.target}", lambda: self._counted("as it is", self.tree)))

    def judge(self, what: str, tree: str) -> Judged:
        """What the candidate at `tree` comes to, by the known calls: first whether it is right, then what it costs."""
        return load_judged(self.task.once(f"judge {self.target} {tree}", lambda: self._judge(what, tree)))

    def _judge(self, what: str, tree: str) -> dict[str, Any]:
        status, why = breach(*self._files(tree), self.target)
        if status:
            return Judged(what, tree, status, (why,)).as_json()
        try:
            other = answers(self.room_at(tree), self.target, self.calls["known"])
            if wrong := differences(self._answers, other):
                return Judged(what, tree, "wrong", tuple(wrong[:MOST_WORDS])).as_json()
            return self._counted(what, tree)
        except UsageError as error:
            return Judged(what, tree, "doubted", (error.message,)).as_json()
        except WorkspaceError as error:
            self.before.run(":", session=SESSION)  # raises where it is not the candidate that ended its room
            if room := self._rooms.pop(tree, None):
                room.close()
            return Judged(what, tree, "doubted", (f"It ended the place that it ran in: {error.message}",)).as_json()

    def _counted(self, what: str, tree: str) -> dict[str, Any]:
        counts = self._counts if tree == self.tree else self._count(self.room_at(tree))
        if why := comparable(self._counts, counts):
            return Judged(what, tree, "doubted", (why,)).as_json()
        real, grown = counts.calls[: len(self.measured)], counts.calls[len(self.measured) :]
        sizes = [call.size for call in self.calls["grown"]]
        growth = fit(sizes, [count.warm for count in grown]) if len(set(sizes)) > 3 else None
        cost = sum(count.warm * call.times for count, call in zip(real, self.measured, strict=True))
        cold = sum(count.cold for count in real)
        return Judged(what, tree, RIGHT, (), counts.backend, cost, cold, growth, self.lines(tree)).as_json()

    @cached_property
    def _counts(self) -> Counts:
        return self._count(self.before)

    def _count(self, room: Workspace) -> Counts:
        return count_calls(room, self.target, (*self.measured, *self.calls["grown"]), backend=self._backend)

    @property
    def _backend(self) -> str:
        """What counted the baseline, also in a run that was resumed elsewhere: figures of two are never compared."""
        kept = self.task.engine.trajectory.results.get((self.task.branch, f"baseline {self.target}"))
        return str(kept.value["backend"]) if kept else ""

    # The last checks, of the best alone

    def last_checks(self, tree: str) -> list[str]:
        """What speaks against a candidate that is right by the known calls: unseen ones, and the guards."""
        found: list[str] = self.task.once(f"last checks {self.target} {tree}", lambda: self._last_checks(tree))
        return found

    def _last_checks(self, tree: str) -> list[str]:
        unseen, rooms = self.calls["unseen"], (self.before, self.room_at(tree))
        for seed in UNSEEN_SEEDS:
            old, new = (answers(room, self.target, unseen, hash_seed=seed) for room in rooms)
            if wrong := differences(old, new):
                return wrong[:MOST_WORDS]
        found = doubts(*rooms, self.target, self.calls["known"], *self._files(tree))
        return [f"{doubt.kind}: {doubt.why}" for doubt in found]

    def timing(self, tree: str) -> Timing | None:
        """Seconds and memory of the measured and grown calls before and after; None where they cannot be timed."""

        def timed() -> dict[str, Any] | None:
            calls = [call.data for call in (*self.measured, *self.calls["grown"])]
            try:
                return asdict(compare(self.before, self.room_at(tree), self.target, calls))
            except UsageError:
                return None

        value = self.task.once(f"timing {self.target} {tree}", timed)
        return Timing(**_with_tuples(value)) if value else None

    def seeds(self, tree: str) -> list[tuple[int, int]]:
        """Instructions of the largest recorded call, warm, before and after, under each of three hash seeds."""
        sides = [self.task.once(f"seeds {self.target} {at}", partial(self._seeds, at)) for at in (self.tree, tree)]
        return list(zip(*sides, strict=True))

    def _seeds(self, tree: str) -> list[int]:
        room, calls = self.room_at(tree), self.measured[:1]
        found = [count_calls(room, self.target, calls, (seed,), backend=self._backend) for seed in FINAL_SEEDS]
        return [count.calls[0].warm for count in found]

    def workload(self, tree: str) -> list[Workload]:
        """Instructions of the whole workload and inside the function, before and after; empty where they cannot be
        counted in time."""
        sides = [
            self.task.once(f"workload {self.target} {at}", partial(self._workload, at)) for at in (self.tree, tree)
        ]
        counts = [Workload(*side) for side in sides if side]
        return counts if len(counts) == 2 and counts[0].inside else []

    def _workload(self, tree: str) -> list[int]:
        try:
            return list(count_workload(self.room_at(tree), self.target, self.command, COUNTING, self._backend))
        except UsageError as error:
            self.task.notify(error.message)
            return []

    def lines(self, tree: str) -> int:
        """Lines that the diff to `tree` adds or takes away."""
        diff = self.task.trees.diff(self.tree, tree).splitlines()
        return sum(line[:1] in ("+", "-") and line[:3] not in ("+++", "---") for line in diff)

    def _files(self, tree: str) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """The files that the candidate changes, before and after."""
        trees = self.task.trees
        paths = [change.path for change in trees.changed(self.tree, tree)]
        sides = [
            {path: trees.read(side, path) for path in paths if trees.entry(side, path)} for side in (self.tree, tree)
        ]
        return sides[0], sides[1]


def _with_tuples(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(part) if isinstance(part, list) else part for name, part in value.items()}


def _dump(call: Call) -> dict[str, Any]:
    return {**asdict(call), "data": base64.b85encode(call.data).decode()}


def _load(value: dict[str, Any]) -> Call:
    return Call(**{**value, "data": base64.b85decode(value["data"])})
