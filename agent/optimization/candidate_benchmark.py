"""Benchmark of a function: the calls it is judged by, and the evaluation of candidates that may replace it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from aci.performance.cheating_check import find_cheating
from aci.performance.efficiency import Growth, fit_growth
from aci.performance.equivalence import Answer, collect_answers, describe_differences, is_conclusive
from aci.performance.input_calls import InputCall
from aci.performance.instruction_count import (
    Counts,
    Workload,
    count_calls,
    count_workload,
    fork_for_counting,
    incomparable_reason,
)
from aci.performance.target_function import SESSION, Target
from aci.performance.timing import Timing, compare_timing
from aci.performance.workload_inputs import record_calls, scale_calls, vary_calls
from agent.optimization.function_contract import contract_breach
from trajectories.errors import UsageError, WorkspaceError
from trajectories.rewards import MISSING_ENTITY, UNFORMATTED, WRONG

if TYPE_CHECKING:
    from aci.runtime.workspace import Workspace
    from agent.engine.task import Task

KNOWN, UNSEEN = 160, 120
"""Number of calls that every candidate is judged by, and number of held-out calls for the final check."""
MEASURED = 4
SIZES = (64, 128, 256, 512, 1024)
FINAL_SEEDS, UNSEEN_SEEDS = (1, 2), (1, 2)
"""Hash seeds of the final checks; candidates are judged under seed 0 before."""
COUNTING = 900.0
"""Maximum number of seconds for counting the instructions of a whole workload; counting makes it about 40 times
slower."""

RIGHT, MOST_WORDS = "right", 6
SCORES = {"wrong": WRONG, "missing": MISSING_ENTITY, "unusable": UNFORMATTED}


@dataclass(frozen=True, slots=True)
class CandidateVerdict:
    """The verdict on a candidate. Its `status` is `right`, `wrong`, `missing`, `unusable` or `doubted`; `why` explains.

    `cost` is the number of instructions of its warm calls, weighted by how often they occurred; `cold` is the number of
    instructions of the first run of each call. `lines` is the size of its diff.
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


def load_verdict(value: Mapping[str, Any]) -> CandidateVerdict:
    """Return a verdict from its form in the journal."""
    growth = value["growth"]
    if growth is not None:
        growth = Growth(**_with_tuples(growth))
    return CandidateVerdict(**{**value, "why": tuple(value["why"]), "growth": growth})


class Bench:
    """A benchmark of the target at `tree`, with one workspace for the original and one for a candidate; both run only
    swe-agent's own commands. All results are recorded."""

    def __init__(self, task: Task, target: Target, tree: str, command: str) -> None:
        self.task, self.target, self.tree, self.command = task, target, tree, command
        self.workload_name = task.turn.settings.benchmark or command
        self._workspaces: dict[str, Workspace] = {}

    def close(self) -> None:
        for tree in list(self._workspaces):
            self._workspaces.pop(tree).close()

    @property
    def before(self) -> Workspace:
        return self.workspace_at(self.tree)

    def workspace_at(self, tree: str) -> Workspace:
        """Return the workspace at `tree`. Each candidate gets a fresh one, since other candidates may leave processes
        running."""
        if tree not in self._workspaces:
            for other in [each for each in self._workspaces if each != self.tree]:
                self._workspaces.pop(other).close()
            self._workspaces[tree] = fork_for_counting(self.task.workspace, tree)
        return self._workspaces[tree]

    # The calls

    @cached_property
    def calls(self) -> dict[str, tuple[InputCall, ...]]:
        """The `known`, `unseen` and `grown` calls of the target; without known calls, the target cannot be judged."""
        kept = self.task.once(f"calls {self.target}", self._keep_calls)
        data = json.loads(self.task.branch.engine.journal.recall(kept["out"]))
        return {kind: tuple(_load(each) for each in found) for kind, found in data.items()}

    def _keep_calls(self) -> dict[str, Any]:
        messages: list[str] = []
        timeout, say = self.task.turn.settings.test_timeout, messages.append
        seen = record_calls(self.before, self.target, self.command, timeout=timeout, say=say)
        found: dict[str, tuple[InputCall, ...]] = {"known": (), "unseen": (), "grown": ()}
        if seen:
            known = self._steady((*seen, *vary_calls(self.before, self.target, seen, KNOWN, 1)))
            unseen = self._steady(vary_calls(self.before, self.target, seen, UNSEEN, 2, "unseen"))
            found = {
                "known": known,
                "unseen": unseen,
                "grown": scale_calls(self.before, self.target, seen, SIZES, say=say),
            }
        kept = {kind: [_dump(each) for each in calls] for kind, calls in found.items()}
        return {"out": self.task.branch.engine.journal.keep(json.dumps(kept).encode()), "said": messages}

    @property
    def words(self) -> str:
        """Messages from recording and scaling the calls, which explain why there are no calls or only a few."""
        return " ".join(self.task.once(f"calls {self.target}", self._keep_calls)["said"])

    def _steady(self, calls: Sequence[InputCall]) -> tuple[InputCall, ...]:
        """Return the calls that have a result and give the same result under two hash seeds."""
        once, twice = (collect_answers(self.before, self.target, calls, hash_seed=seed) for seed in (0, 1))
        same = zip(calls, once, twice, strict=True)
        return tuple(
            call for call, first, second in same if is_conclusive(first) and not describe_differences([first], [second])
        )

    @cached_property
    def measured(self) -> tuple[InputCall, ...]:
        """The recorded calls whose instructions are counted: the largest, and some between the smallest and the
        largest."""
        real = [call for call in self.calls["known"] if call.origin in ("recorded", "test")]
        by_size = sorted(real or self.calls["known"], key=lambda call: len(call.data), reverse=True)
        step = max(len(by_size) // MEASURED, 1)
        return tuple(by_size[::step][:MEASURED])

    @cached_property
    def _answers(self) -> tuple[Answer, ...]:
        return collect_answers(self.before, self.target, self.calls["known"])

    # Verdicts

    def baseline(self) -> CandidateVerdict:
        return load_verdict(self.task.once(f"baseline {self.target}", lambda: self._counted("as it is", self.tree)))

    def judge(self, what: str, tree: str) -> CandidateVerdict:
        """Judge the candidate at `tree` by the known calls: first its correctness, then its cost."""
        return load_verdict(self.task.once(f"judge {self.target} {tree}", lambda: self._judge(what, tree)))

    def _judge(self, what: str, tree: str) -> dict[str, Any]:
        status, why = contract_breach(*self._files(tree), self.target)
        if status:
            return CandidateVerdict(what, tree, status, (why,)).as_json()
        try:
            other = collect_answers(self.workspace_at(tree), self.target, self.calls["known"])
            if wrong := describe_differences(self._answers, other):
                return CandidateVerdict(what, tree, "wrong", tuple(wrong[:MOST_WORDS])).as_json()
            return self._counted(what, tree)
        except UsageError as error:
            return CandidateVerdict(what, tree, "doubted", (error.message,)).as_json()
        except WorkspaceError as error:
            # Raises if the original's workspace fails too: the candidate is not the cause.
            self.before.run(":", session=SESSION)
            if room := self._workspaces.pop(tree, None):
                room.close()
            return CandidateVerdict(what, tree, "doubted", (f"It ended its workspace: {error.message}",)).as_json()

    def _counted(self, what: str, tree: str) -> dict[str, Any]:
        counts = self._counts if tree == self.tree else self._count(self.workspace_at(tree))
        if why := incomparable_reason(self._counts, counts):
            return CandidateVerdict(what, tree, "doubted", (why,)).as_json()
        real, grown = counts.calls[: len(self.measured)], counts.calls[len(self.measured) :]
        sizes = [call.size for call in self.calls["grown"]]
        growth = fit_growth(sizes, [count.warm for count in grown]) if len(set(sizes)) > 3 else None
        cost = sum(count.warm * call.times for count, call in zip(real, self.measured, strict=True))
        cold = sum(count.cold for count in real)
        return CandidateVerdict(what, tree, RIGHT, (), counts.backend, cost, cold, growth, self.lines(tree)).as_json()

    @cached_property
    def _counts(self) -> Counts:
        return self._count(self.before)

    def _count(self, room: Workspace) -> Counts:
        return count_calls(room, self.target, (*self.measured, *self.calls["grown"]), backend=self._backend)

    @property
    def _backend(self) -> str:
        """The backend that counted the baseline; a resumed run uses it too, since results of different backends are not
        comparable."""
        kept = self.task.branch.engine.trajectory.results.get((self.task.branch.name, f"baseline {self.target}"))
        return str(kept.value["backend"]) if kept else ""

    # Final checks, of the best candidate only

    def last_checks(self, tree: str) -> list[str]:
        """Return objections to a candidate that is correct on the known calls: from unseen calls and checks for
        cheating."""
        found: list[str] = self.task.once(f"last checks {self.target} {tree}", lambda: self._last_checks(tree))
        return found

    def _last_checks(self, tree: str) -> list[str]:
        unseen, rooms = self.calls["unseen"], (self.before, self.workspace_at(tree))
        for seed in UNSEEN_SEEDS:
            old, new = (collect_answers(room, self.target, unseen, hash_seed=seed) for room in rooms)
            if wrong := describe_differences(old, new):
                return wrong[:MOST_WORDS]
        found = find_cheating(*rooms, self.target, self.calls["known"], *self._files(tree))
        return [f"{doubt.kind}: {doubt.why}" for doubt in found]

    def timing(self, tree: str) -> Timing | None:
        """Return time and memory of the measured and grown calls before and after; None if they cannot be timed."""

        def timed() -> dict[str, Any] | None:
            calls = [call.data for call in (*self.measured, *self.calls["grown"])]
            try:
                return asdict(compare_timing(self.before, self.workspace_at(tree), self.target, calls))
            except UsageError:
                return None

        value = self.task.once(f"timing {self.target} {tree}", timed)
        return Timing(**_with_tuples(value)) if value else None

    def seeds(self, tree: str) -> list[tuple[int, int]]:
        """Return the number of warm instructions of the largest recorded call, before and after, under each of
        FINAL_SEEDS."""
        sides = [self.task.once(f"more seeds {self.target} {at}", partial(self._seeds, at)) for at in (self.tree, tree)]
        return list(zip(*sides, strict=True))

    def _seeds(self, tree: str) -> list[int]:
        room, calls = self.workspace_at(tree), self.measured[:1]
        found = [count_calls(room, self.target, calls, (seed,), backend=self._backend) for seed in FINAL_SEEDS]
        return [count.calls[0].warm for count in found]

    def workload(self, tree: str) -> list[Workload]:
        """Return the instructions of the whole workload and inside the function, before and after.

        The list is empty if they cannot be counted in time.
        """
        sides = [
            self.task.once(f"workload {self.target} {at}", partial(self._workload, at)) for at in (self.tree, tree)
        ]
        counts = [Workload(*side) for side in sides if side]
        return counts if len(counts) == 2 and counts[0].inside else []

    def _workload(self, tree: str) -> list[int]:
        try:
            return list(count_workload(self.workspace_at(tree), self.target, self.command, COUNTING, self._backend))
        except UsageError as error:
            self.task.branch.notify(error.message)
            return []

    def lines(self, tree: str) -> int:
        """Return the number of lines that the diff to `tree` adds and removes."""
        diff = self.task.trees.diff(self.tree, tree).splitlines()
        return sum(line[:1] in ("+", "-") and line[:3] not in ("+++", "---") for line in diff)

    def _files(self, tree: str) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """Return the files that the candidate changes, before and after."""
        trees = self.task.trees
        paths = [change.path for change in trees.changed(self.tree, tree)]
        sides = [
            {path: trees.read(side, path) for path in paths if trees.entry(side, path)} for side in (self.tree, tree)
        ]
        return sides[0], sides[1]


def _with_tuples(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(part) if isinstance(part, list) else part for name, part in value.items()}


def _dump(call: InputCall) -> dict[str, Any]:
    return {**asdict(call), "data": base64.b85encode(call.data).decode()}


def _load(value: dict[str, Any]) -> InputCall:
    return InputCall(**{**value, "data": base64.b85decode(value["data"])})
