"""Coverage of a module by the existing tests: the arcs that they cover in it, and the mutants that they kill."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

from aci.runtime.workspace import Workspace
from aci.testing.suite_run import run_tests
from extensions.experiment.evaluator.candidate_evaluator import Evaluator, TimeLimits
from extensions.testgen.mutants import Mutant
from trajectories.errors import UsageError

MOST_TESTS, TRACED = 1500, 4.0
SLOWER, SHORTEST = 6.0, 0.3
"""Time limit for a test on a mutant: a multiple of its time on the original code, plus a constant in seconds."""


@dataclass(frozen=True, slots=True)
class ExistingCoverage:
    """The arcs in the file that existing tests cover (`arcs`), and the numbers of the mutants that they kill
    (`killed`).

    `judged` holds the mutants whose result was determined in time, `tests` the number of tests that reach the file.
    `said` is a sentence that explains the limits of this result, or "" if there are none.
    """

    arcs: frozenset[tuple[int, int]] = frozenset()
    killed: frozenset[int] = frozenset()
    judged: frozenset[int] = frozenset()
    tests: int = 0
    said: str = ""

    def as_json(self) -> dict[str, Any]:
        sets = {"arcs": sorted(self.arcs), "killed": sorted(self.killed), "judged": sorted(self.judged)}
        return {**sets, "tests": self.tests, "said": self.said}


def coverage_from_json(value: dict[str, Any]) -> ExistingCoverage:
    """Return the coverage from the dictionary that `as_json` returns."""
    arcs = frozenset((before, after) for before, after in value["arcs"])
    return ExistingCoverage(arcs, frozenset(value["killed"]), frozenset(value["judged"]), value["tests"], value["said"])


def measure_coverage(
    room: Workspace,
    command: str,
    path: str,
    mutants: Sequence[Mutant],
    cancel: Event,
    seconds: float,
    nodes: Sequence[str] = (),
) -> ExistingCoverage:
    """Run the tests (limited to `nodes`), trace the passing ones, and run those that reach the file on the file's
    mutants.

    The whole measurement takes about `seconds`.
    """
    end = time.monotonic() + seconds
    try:
        report = run_tests(room, command, nodes, max(10.0, seconds / 2))
    except UsageError as error:
        return ExistingCoverage(said=error.message)
    if report.granularity != "test" or not report.passed:
        return ExistingCoverage(
            said="No test of the repository passes."
            if not report.passed
            else "The test command does not report single tests."
        )
    names = report.passed[:MOST_TESTS]
    try:
        with Evaluator(room, report.command, names, cancel) as evaluator:
            return _traced(evaluator, names, path, mutants, lambda: time.monotonic() > end, end)
    except UsageError as error:
        return ExistingCoverage(said=error.message)


def _traced(
    evaluator: Evaluator,
    names: Sequence[str],
    path: str,
    mutants: Sequence[Mutant],
    over: Callable[[], bool],
    end: float,
) -> ExistingCoverage:
    job = {"mode": "trace", "tests": [[name, TRACED] for name in names], "cpu": max(5.0, end - time.monotonic()) * 0.6}
    arcs: set[tuple[int, int]] = set()
    took: dict[str, float] = {}
    for answer in evaluator.ask(job, max(5.0, end - time.monotonic())):
        steps = _steps(answer, path)
        if steps:
            arcs |= steps
            took[str(answer["test"])] = float(answer["seconds"])
    run = {after for _, after in arcs}
    reached = [number for number, one in enumerate(mutants) if one.reach & run]
    candidates = [mutants[number].candidate() for number in reached]
    limits = TimeLimits({test: SLOWER * seconds + SHORTEST for test, seconds in took.items()})
    killed, judged = set(), set()
    by_candidate = {id(one): number for one, number in zip(candidates, reached, strict=True)}
    quickest = sorted(took, key=lambda test: took[test])
    for found in evaluator.evaluate(iter(candidates), [], quickest, limits, over):
        number = by_candidate[id(found.candidate)]
        judged.add(number)
        if found.verdict != "plausible":
            killed.add(number)
    judged |= set(range(len(mutants))) - set(reached)
    said = "" if len(judged) == len(mutants) else f"{len(mutants) - len(judged)} mutants were not tried in time."
    return ExistingCoverage(frozenset(arcs), frozenset(killed), frozenset(judged), len(took), said)


def _steps(answer: dict[str, Any], path: str) -> set[tuple[int, int]]:
    """Return the arcs that a test covers in the file; none if the test does not pass."""
    steps = answer.get("steps")
    if answer.get("outcome") != "passed" or not isinstance(steps, dict):
        return set()
    try:
        return {(int(before), int(after)) for before, after in steps.get(path, ())}
    except (TypeError, ValueError):
        return set()
