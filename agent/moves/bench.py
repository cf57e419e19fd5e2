"""A function on the bench: the calls that it is judged by, and what a candidate for its place comes to."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from aci.counting import Counts, comparable, count_calls, count_workload, counting_room
from aci.efficiency import MISSING_ENTITY, UNFORMATTED, WRONG, Growth, fit
from aci.equivalence import Answer, answers, differences
from aci.guards import doubts
from aci.inputs import Call, grow, record, widen
from aci.patch import is_test
from aci.target import Target, functions
from aci.timing import Timing, compare
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from aci.workspace import Workspace
    from agent.task import Task

KNOWN, UNSEEN = 160, 120
"""Calls that a candidate is judged by as it comes, and others for the last check, which nobody has seen."""
MEASURED = 4
SIZES = (64, 128, 256, 512, 1024)
FINAL_SEEDS = (0, 1, 2)
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
        parts: dict[str, Any] = {name: tuple(part) if isinstance(part, list) else part for name, part in growth.items()}
        growth = Growth(**parts)
    return Judged(**{**value, "why": tuple(value["why"]), "growth": growth})


class Bench:
    """The target at `tree`, in two rooms where only our commands run. Everything the task is told of it is recorded."""

    def __init__(self, task: Task, target: Target, tree: str, command: str) -> None:
        self.task, self.target, self.tree, self.command = task, target, tree, command
        self._open = ExitStack()

    def close(self) -> None:
        self._open.close()

    @cached_property
    def before(self) -> Workspace:
        return self._open.enter_context(closing(counting_room(self.task.workspace, self.tree)))

    @cached_property
    def after(self) -> Workspace:
        return self._open.enter_context(closing(counting_room(self.task.workspace, self.tree)))

    # The calls

    @cached_property
    def calls(self) -> dict[str, tuple[Call, ...]]:
        """`known`, `unseen` and `grown` calls; without any known one, nothing can be said of the target."""
        kept = self.task.once(f"calls {self.target}", self._keep_calls)
        data = json.loads(self.task.engine.journal.recall(kept["out"]))
        return {kind: tuple(_load(each) for each in found) for kind, found in data.items()}

    def _keep_calls(self) -> dict[str, Any]:
        timeout, say = self.task.settings.test_timeout, self.task.notify
        seen = record(self.before, self.target, self.command, timeout=timeout, say=say)
        found: dict[str, tuple[Call, ...]] = {"known": (), "unseen": (), "grown": ()}
        if seen:
            known = self._steady((*seen, *widen(self.before, self.target, seen, KNOWN, 1)))
            unseen = self._steady(widen(self.before, self.target, seen, UNSEEN, 2, "unseen"))
            found = {"known": known, "unseen": unseen, "grown": grow(self.before, self.target, seen, SIZES, say=say)}
        kept = {kind: [_dump(each) for each in calls] for kind, calls in found.items()}
        return {"out": self.task.engine.journal.keep(json.dumps(kept).encode()), "recorded": len(seen)}

    def _steady(self, calls: Sequence[Call]) -> tuple[Call, ...]:
        """The calls that twice have the same answer, which a candidate can be held to."""
        once, twice = (answers(self.before, self.target, calls) for _ in range(2))
        same = zip(calls, once, twice, strict=True)
        return tuple(call for call, first, second in same if not differences([first], [second]))

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
        if why := self._unusable(tree):
            return Judged(what, tree, "unusable", (why,)).as_json()
        if self.target.name not in dict(functions_of(self._read(tree, self.target.path))):
            return Judged(what, tree, "missing", (f"There is no {self.target.name} any more.",)).as_json()
        self.after.restore(tree)
        try:
            other = answers(self.after, self.target, self.calls["known"])
        except UsageError as error:
            return Judged(what, tree, "unusable", (error.message,)).as_json()
        if wrong := differences(self._answers, other):
            return Judged(what, tree, "wrong", tuple(wrong[:MOST_WORDS])).as_json()
        try:
            return self._counted(what, tree)
        except UsageError as error:
            return Judged(what, tree, "doubted", (error.message,)).as_json()

    def _unusable(self, tree: str) -> str:
        """Why the change is no candidate at all."""
        changed = [change.path for change in self.task.trees.changed(self.tree, tree)]
        if not [path for path in changed if not is_test(path)]:
            return "No source file was changed."
        try:
            for path in changed:
                if path.endswith(".py"):
                    functions_of(self._read(tree, path))
        except (SyntaxError, ValueError) as error:
            return f"{path} cannot be parsed: {error}."
        except FileNotFoundError:
            return f"{path} is gone."
        return ""

    def room_at(self, tree: str) -> Workspace:
        """The room in which the function is as it was, or the other, at `tree`."""
        if tree == self.tree:
            return self.before
        self.after.restore(tree)
        return self.after

    def _counted(self, what: str, tree: str) -> dict[str, Any]:
        counts = self._counts if tree == self.tree else self._count(self.room_at(tree))
        if why := comparable(self._counts, counts):
            return Judged(what, tree, "doubted", (why,)).as_json()
        real, grown = counts.calls[: len(self.measured)], counts.calls[len(self.measured) :]
        sizes = [call.size for call in self.calls["grown"]]
        growth = fit(sizes, [count.warm for count in grown]) if len(set(sizes)) > 2 else None
        cost = sum(count.warm * call.times for count, call in zip(real, self.measured, strict=True))
        cold = sum(count.cold for count in real)
        return Judged(what, tree, RIGHT, (), counts.backend, cost, cold, growth, self.lines(tree)).as_json()

    @cached_property
    def _counts(self) -> Counts:
        return self._count(self.before)

    def _count(self, room: Workspace) -> Counts:
        return count_calls(room, self.target, (*self.measured, *self.calls["grown"]))

    # The last checks, of the best alone

    def last_checks(self, tree: str) -> list[str]:
        """What speaks against a candidate that is right by the known calls: unseen ones, and the guards."""
        found: list[str] = self.task.once(f"last checks {self.target} {tree}", lambda: self._last_checks(tree))
        return found

    def _last_checks(self, tree: str) -> list[str]:
        self.after.restore(tree)
        unseen = self.calls["unseen"]
        old, new = (answers(room, self.target, unseen) for room in (self.before, self.after))
        if wrong := differences(old, new):
            return wrong[:MOST_WORDS]
        found = doubts(self.before, self.after, self.target, self.calls["known"], *self._files(tree))
        return [f"{doubt.kind}: {doubt.why}" for doubt in found]

    def timing(self, tree: str) -> Timing | None:
        """Seconds and memory of the measured and grown calls before and after; None where they cannot be timed."""

        def timed() -> dict[str, Any] | None:
            self.after.restore(tree)
            calls = [call.data for call in (*self.measured, *self.calls["grown"])]
            try:
                return asdict(compare(self.before, self.after, self.target, calls))
            except UsageError:
                return None

        value = self.task.once(f"timing {self.target} {tree}", timed)
        return value and Timing(tuple(value["before"]), tuple(value["after"]), tuple(value["peaks"]))

    def seeds(self, tree: str) -> list[list[int]]:
        """Instructions of the largest recorded call, warm, as [before, after] under each of three hash seeds."""

        def counted() -> list[list[int]]:
            rooms = (self.before, self.room_at(tree))
            return [[self._warm(room, seed) for room in rooms] for seed in FINAL_SEEDS]

        found: list[list[int]] = self.task.once(f"seeds {self.target} {tree}", counted)
        return found

    def _warm(self, room: Workspace, seed: int) -> int:
        return sum(count.warm for count in count_calls(room, self.target, self.measured[:1], (seed,)).calls)

    def workload(self, tree: str) -> list[list[int]]:
        """Instructions of the whole workload and inside the function, before and after; empty where they cannot be
        counted in time."""

        def counted() -> list[list[int]]:
            rooms = (self.before, self.room_at(tree))
            try:
                return [list(count_workload(room, self.target, self.command, COUNTING)) for room in rooms]
            except UsageError as error:
                self.task.notify(error.message)
                return []

        found: list[list[int]] = self.task.once(f"workload {self.target} {tree}", counted)
        return found

    def lines(self, tree: str) -> int:
        """Lines that the diff to `tree` adds or takes away."""
        diff = self.task.trees.diff(self.tree, tree).splitlines()
        return sum(line[:1] in ("+", "-") and line[:3] not in ("+++", "---") for line in diff)

    def _read(self, tree: str, path: str) -> str:
        return self.task.trees.read(tree, path).decode("utf-8")

    def _files(self, tree: str) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """The files that the candidate changes, before and after."""
        trees = self.task.trees
        paths = [change.path for change in trees.changed(self.tree, tree)]
        sides = [
            {path: trees.read(side, path) for path in paths if trees.entry(side, path)} for side in (self.tree, tree)
        ]
        return sides[0], sides[1]


def functions_of(text: str) -> list[tuple[str, Any]]:
    """The functions of a file's text, by name. Raises SyntaxError and ValueError."""
    import ast

    return list(functions(ast.parse(text)))


def _dump(call: Call) -> dict[str, Any]:
    return {**asdict(call), "data": base64.b85encode(call.data).decode()}


def _load(value: dict[str, Any]) -> Call:
    return Call(**{**value, "data": base64.b85decode(value["data"])})
