"""Benchmark of a function: the calls it is judged by, and the evaluation of candidates that may replace it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from aci.runtime.target_function import SESSION, Target
from extensions.optimize.function_contract import contract_breach
from extensions.optimize.measurement.accepted_types import TypeDifference, type_differences
from extensions.optimize.measurement.cheating_check import find_cheating
from extensions.optimize.measurement.efficiency import Growth, fit_growth
from extensions.optimize.measurement.equivalence import (
    Answer,
    collect_answers,
    describe_differences,
    has_raised,
    is_conclusive,
    raised_explicitly,
)
from extensions.optimize.measurement.input_calls import InputCall
from extensions.optimize.measurement.instruction_count import (
    Counts,
    count_calls,
    fork_for_counting,
    incomparable_reason,
)
from extensions.optimize.measurement.profiling import profile_command
from extensions.optimize.measurement.timing import Timing, compare_timing
from extensions.optimize.measurement.workload_inputs import (
    WRONG_TYPE,
    record_calls,
    scale_calls,
    source_constants,
    vary_calls,
)
from trajectories.errors import UsageError, WorkspaceError
from trajectories.rewards import MISSING_ENTITY, UNFORMATTED, WRONG

if TYPE_CHECKING:
    from aci.runtime.workspace import Workspace
    from agent.engine.task import Task

KNOWN, UNSEEN, SEARCHED = 200, 240, 120
"""Number of calls that every candidate is judged by, of held-out calls for the final check, and of calls with the
constants of the candidate."""
MEASURED = 4
SIZES = (8, 16, 32, 64, 128, 256, 512, 1024, 2048)
MOST_SIZES, LEAST_SIZES = 6, 5
"""Of the sizes that the function finishes in time, at most so many of the largest are counted; fewer than the minimum
are not used. Functions of exponential cost get sizes that are closer to each other."""
FINAL_SEEDS, UNSEEN_SEEDS = (1,), (1, 2)
"""Hash seeds of the final checks; candidates are judged under seed 0 before."""
LEAST_RATIO = 1.02
"""How many times fewer instructions a candidate must execute for its growth to be measured."""

TEST_RUNNER = re.compile(r"\b(pytest|py\.test|unittest|nose2?|tox|nox)\b")
MISSING = ("builtins.KeyError", "builtins.IndexError")
RIGHT, MOST_WORDS = "right", 6
SCORES = {"wrong": WRONG, "missing": MISSING_ENTITY, "unusable": UNFORMATTED}


@dataclass(frozen=True, slots=True)
class CandidateVerdict:
    """The verdict on a candidate. Its `status` is `right`, `wrong`, `missing`, `unusable` or `doubted`; `why` explains.

    `cost` is the number of instructions of its warm calls, weighted by how often they occurred; `cold` is the number of
    instructions of the first run of each call. `large` is that of the largest grown call, 0 if there is none that
    exceeds the recorded calls. `lines` is the size of its diff.
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
    large: int = 0

    @property
    def n(self) -> int:
        """The number of instructions by which candidates are ranked and rewarded: on the largest input if there is one,
        since candidates separate only there."""
        return self.large or self.cost

    def ratio_to(self, before: CandidateVerdict) -> float:
        """Return how many times fewer instructions it executes than `before`, in the calls where that is most."""
        ratios = [before.cost / max(self.cost, 1)]
        if self.large:
            ratios.append(before.large / self.large)
        return max(ratios)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def load_verdict(value: Mapping[str, Any]) -> CandidateVerdict:
    """Return a verdict from its form in the journal."""
    growth = value["growth"]
    if growth is not None:
        growth = Growth(**_with_tuples(growth))
    return CandidateVerdict(**{**value, "why": tuple(value["why"]), "growth": growth})


class Sample(NamedTuple):
    """Processor seconds of a whole workload and of the function in it, by a sampling profiler, and its exit status."""

    whole: float
    inside: float
    code: int


class Bench:
    """A benchmark of the target at `tree`, with one workspace for the original and one for a candidate; both run only
    swe-agent's own commands. All results are recorded."""

    def __init__(self, task: Task, target: Target, tree: str, command: str) -> None:
        self.task, self.target, self.tree, self.command = task, target, tree, command
        self.workload_name = task.turn.settings.benchmark or command
        self._workspaces: dict[str, Workspace] = {}

    @property
    def is_workload_named(self) -> bool:
        """Whether the user named a workload other than tests, so that its calls are as large as those that matter."""
        settings = self.task.turn.settings
        return bool(settings.benchmark or (settings.workload and not TEST_RUNNER.search(settings.workload)))

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
        """The `known` and `grown` calls of the target; without known calls, the target cannot be judged."""
        return self._recall(self.task.once(f"calls {self.target}", self._keep_calls)["out"])

    @cached_property
    def unseen(self) -> tuple[InputCall, ...]:
        """The held-out calls, which are made only for the final checks."""
        if calls := self.calls.get("unseen"):  # recorded by an earlier version
            return calls

        def make() -> dict[str, Any]:
            return {
                "out": self._keep(unseen=vary_calls(self.before, self.target, self._valid_calls, UNSEEN, 2, "unseen"))
            }

        return self._recall(self.task.once(f"unseen calls {self.target}", make)["out"])["unseen"]

    def _keep(self, **calls: Sequence[InputCall]) -> int:
        data = {kind: [_dump(each) for each in found] for kind, found in calls.items()}
        return self.task.branch.engine.journal.keep(json.dumps(data).encode())

    def _recall(self, number: int) -> dict[str, tuple[InputCall, ...]]:
        data = json.loads(self.task.branch.engine.journal.recall(number))
        return {kind: tuple(_load(each) for each in found) for kind, found in data.items()}

    @cached_property
    def _valid_calls(self) -> list[InputCall]:
        """The recorded calls from which others are derived."""
        answered = zip(self.calls["known"], self._answers, strict=True)
        recorded = [(call, answer) for call, answer in answered if call.origin == "recorded"]
        return _valid(recorded) or list(self.calls["known"])

    def _keep_calls(self) -> dict[str, Any]:
        messages: list[str] = []
        timeout, say = self.task.turn.settings.test_timeout, messages.append
        self._progress("record calls")
        seen = record_calls(self.before, self.target, self.command, timeout=timeout, say=say)
        known: tuple[InputCall, ...] = ()
        grown: tuple[InputCall, ...] = ()
        if seen:
            self._progress(f"vary {len(seen)} recorded calls")
            # Derived calls have the same result under two hash seeds; recorded ones may not.
            steady = self._steady(seen)
            valid = _valid(steady) or seen
            known = (*(call for call, _ in steady), *vary_calls(self.before, self.target, valid, KNOWN, 1))
            self._progress("make larger calls")
            grown = scale_calls(self.before, self.target, seen, SIZES, say=say, least=LEAST_SIZES)[-MOST_SIZES:]
        return {"out": self._keep(known=known, grown=grown if len(grown) >= LEAST_SIZES else ()), "said": messages}

    @property
    def words(self) -> str:
        """Messages from recording and scaling the calls, which explain why there are no calls or only a few."""
        return " ".join(self.task.once(f"calls {self.target}", self._keep_calls)["said"])

    def _progress(self, text: str) -> None:
        """Show what is being done; not recorded, since it may happen inside of what is done once."""
        self.task.branch.notify(f"{self.target}: {text}")

    def _steady(self, calls: Sequence[InputCall]) -> list[tuple[InputCall, Answer]]:
        """Return the calls that have a result and give the same result under two hash seeds, with their answers."""
        once, twice = (collect_answers(self.before, self.target, calls, hash_seed=seed) for seed in (0, 1))
        same = zip(calls, once, twice, strict=True)
        return [
            (call, first)
            for call, first, second in same
            if is_conclusive(first) and not describe_differences([first], [second])
        ]

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
            self._progress(f"compare the answers of {what}")
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
        """Count the recorded calls and the largest grown one; the other sizes only if the candidate may be faster."""
        baseline = self.baseline() if tree != self.tree else None  # first, as it fixes the backend
        counts = self._counts
        if baseline:
            compared = len(self.measured) + len(self.grown[-1:])
            before = replace(counts, in_c=counts.in_c[:compared])
            counts = self._count(tree, self.measured, self.grown[-1:])
            if why := incomparable_reason(before, counts):
                return CandidateVerdict(what, tree, "doubted", (why,)).as_json()
        real = counts.calls[: len(self.measured)]
        cost = sum(count.warm * call.times for count, call in zip(real, self.measured, strict=True))
        cold = sum(count.cold for count in real)
        has_large = self.grown and (not baseline or baseline.large)  # earlier versions recorded no large call
        large = counts.calls[len(self.measured)].warm if has_large else 0
        judged = CandidateVerdict(what, tree, RIGHT, (), counts.backend, cost, cold, None, self.lines(tree), large)
        if has_large:
            smaller = counts.calls[len(self.measured) + 1 :]
            if baseline and judged.ratio_to(baseline) >= LEAST_RATIO:
                smaller = self._count(tree, (), self.grown[:-1]).calls
            if smaller:
                sizes = [call.size for call in self.grown]
                growth = fit_growth(sizes, [*(count.warm for count in smaller), large])
                judged = replace(judged, growth=growth)
        return judged.as_json()

    @cached_property
    def _counts(self) -> Counts:
        """The counts of the original: recorded calls, the largest grown call, the other grown calls."""
        grown = self.calls["grown"]
        return self._count(self.tree, self.measured, (*grown[-1:], *grown[:-1]))

    @cached_property
    def grown(self) -> tuple[InputCall, ...]:
        """The grown calls; none if the largest does not exceed the recorded ones, so that it says less than they do."""
        grown, recorded = self.calls["grown"], len(self.measured)
        if not grown:
            return ()
        largest = max(count.warm for count in self._counts.calls[:recorded])
        return grown if self._counts.calls[recorded].warm > largest else ()

    def _count(
        self, tree: str, calls: Sequence[InputCall], grown: Sequence[InputCall], seeds: Sequence[int] = (0,)
    ) -> Counts:
        self._progress(f"count the instructions of {len(calls) + len(grown)} calls")
        room, warm_up = self.workspace_at(tree), self.measured[-1] if grown else None
        return count_calls(room, self.target, calls, seeds, backend=self._backend, large=grown, warm_up=warm_up)

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
        self._progress("check with unseen calls and for cheating")
        unseen, rooms = self.unseen, (self.before, self.workspace_at(tree))
        for seed in UNSEEN_SEEDS:
            old, new = (collect_answers(room, self.target, unseen, hash_seed=seed) for room in rooms)
            if wrong := describe_differences(old, new):
                return wrong[:MOST_WORDS]
        if wrong := self._large_differences(tree) or self._searched_differences(tree):
            return wrong
        found = find_cheating(*rooms, self.target, self.calls["known"], *self._files(tree))
        return [f"{doubt.kind}: {doubt.why}" for doubt in found]

    def _large_differences(self, tree: str) -> list[str]:
        """Return differences on the grown calls: a candidate may give up, or fail, on large inputs only."""
        rooms = (self.before, self.workspace_at(tree))
        old, new = (collect_answers(room, self.target, self.calls["grown"]) for room in rooms)
        return describe_differences(old, new)[:MOST_WORDS]

    def _searched_differences(self, tree: str) -> list[str]:
        """Return differences on calls derived with the numbers and strings that only the candidate's code has, since it
        may treat values next to them in another way."""
        sources = [self.task.trees.read(at, self.target.path) for at in (self.tree, tree)]
        before, after = (source_constants(source, self.target) for source in sources)
        new_constants = [one for one in after if one not in before]
        if not new_constants:
            return []
        calls = vary_calls(self.before, self.target, self._valid_calls, SEARCHED, 3, "unseen", new_constants)
        old, new = (collect_answers(room, self.target, calls) for room in (self.before, self.workspace_at(tree)))
        return describe_differences(old, new)[:MOST_WORDS]

    def type_differences(self, tree: str) -> tuple[TypeDifference, ...]:
        """Return the types of values that the original accepts and the candidate does not. No recorded call has them,
        since such a candidate would be wrong."""

        def compared() -> list[dict[str, Any]]:
            self._progress("try values of other types")
            rooms = (self.before, self.workspace_at(tree))
            return [asdict(one) for one in type_differences(*rooms, self.target, self._valid_calls)]

        found = self.task.once(f"other types {self.target} {tree}", compared)
        return tuple(TypeDifference(**one) for one in found)

    def timing(self, tree: str) -> Timing | None:
        """Return time and memory of the measured and grown calls before and after; None if they cannot be timed."""

        def timed() -> dict[str, Any] | None:
            calls = [call.data for call in (*self.measured, *self.grown)]
            try:
                return asdict(compare_timing(self.before, self.workspace_at(tree), self.target, calls))
            except UsageError:
                return None

        value = self.task.once(f"timing {self.target} {tree}", timed)
        return Timing(**_with_tuples(value)) if value else None

    def seeds(self, tree: str, is_large: bool) -> list[tuple[int, int]]:
        """Return the number of warm instructions of one call, before and after, under each of FINAL_SEEDS.

        It is the largest grown call if `is_large`, otherwise the largest recorded one.
        """
        what = "more seeds on the largest input" if is_large else "more seeds"
        sides = [
            self.task.once(f"{what} {self.target} {at}", partial(self._seeds, at, is_large)) for at in (self.tree, tree)
        ]
        return list(zip(*sides, strict=True))

    def _seeds(self, tree: str, is_large: bool) -> list[int]:
        calls, large = ((), self.grown[-1:]) if is_large else (self.measured[:1], ())
        return [self._count(tree, calls, large, (seed,)).calls[0].warm for seed in FINAL_SEEDS]

    def workload(self, tree: str) -> list[Sample]:
        """Return the processor time of the whole workload and inside the function, before and after.

        It is shown beside the counts and decides nothing. The list is empty if the workload cannot be sampled.
        """
        sides = [
            self.task.once(f"sampled workload {self.target} {at}", partial(self._sample, at))
            for at in (self.tree, tree)
        ]
        return [Sample(*side) for side in sides] if all(side and side[0] > 0 for side in sides) else []

    def _sample(self, tree: str) -> list[float]:
        self._progress("sample the workload")
        timeout = self.task.turn.settings.test_timeout
        try:
            found = profile_command(self.workspace_at(tree), self.command, timeout, calls=False)
        except UsageError as error:
            self.task.branch.notify(error.message)
            return []
        inside = sum(each.total for each in found.spent if each.target == self.target)
        return [found.seconds, inside, found.code]

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


def _valid(answered: Sequence[tuple[InputCall, Answer]]) -> list[InputCall]:
    """Return the calls from which others are derived: not those whose values lack what the function needs, such as a
    key; all if there are no others."""
    valid = [
        call for call, answer in answered if raised_explicitly(answer) or not has_raised(answer, *WRONG_TYPE, *MISSING)
    ]
    return valid or [call for call, _ in answered]


def _with_tuples(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(part) if isinstance(part, list) else part for name, part in value.items()}


def _dump(call: InputCall) -> dict[str, Any]:
    return {**asdict(call), "data": base64.b85encode(call.data).decode()}


def _load(value: dict[str, Any]) -> InputCall:
    return InputCall(**{**value, "data": base64.b85decode(value["data"])})
