"""What the tests that are there already do for a module: the steps they take in it, and the mutants they notice."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

from aci.candidates import Evaluator, Limits
from aci.generating.mutants import Mutant
from aci.testing import run_tests
from aci.workspace import Workspace
from trajectories.errors import UsageError

MOST_TESTS, TRACED = 1500, 4.0
SLOWER, SHORTEST = 6.0, 0.3
"""How many times longer than on the code as it is a test may run on a mutant, and its seconds in any case."""


@dataclass(frozen=True, slots=True)
class Standing:
    """`arcs` are steps in the file, `killed` numbers of mutants, `tests` how many tests reach it; `said` is what limits
    this, in a sentence. `judged` are the mutants that were tried in time."""

    arcs: frozenset[tuple[int, int]] = frozenset()
    killed: frozenset[int] = frozenset()
    judged: frozenset[int] = frozenset()
    tests: int = 0
    said: str = ""

    def as_json(self) -> dict[str, Any]:
        sets = {"arcs": sorted(self.arcs), "killed": sorted(self.killed), "judged": sorted(self.judged)}
        return {**sets, "tests": self.tests, "said": self.said}


def standing_of(value: dict[str, Any]) -> Standing:
    """As it was written with `as_json`."""
    arcs = frozenset((before, after) for before, after in value["arcs"])
    return Standing(arcs, frozenset(value["killed"]), frozenset(value["judged"]), value["tests"], value["said"])


def standing(
    room: Workspace,
    command: str,
    path: str,
    mutants: Sequence[Mutant],
    cancel: Event,
    seconds: float,
    nodes: Sequence[str] = (),
) -> Standing:
    """Run the tests (narrowed to `nodes`), trace those that pass, then run those that reach the file on its mutants,
    all within about so many seconds."""
    end = time.monotonic() + seconds
    try:
        report = run_tests(room, command, nodes, max(10.0, seconds / 2))
    except UsageError as error:
        return Standing(said=error.message)
    if report.granularity != "test" or not report.passed:
        return Standing(
            said="No test of the repository passes." if not report.passed else "Its tests are not told apart."
        )
    names = report.passed[:MOST_TESTS]
    try:
        with Evaluator(room, report.command, names, cancel) as evaluator:
            return _traced(evaluator, names, path, mutants, lambda: time.monotonic() > end, end)
    except UsageError as error:
        return Standing(said=error.message)


def _traced(
    evaluator: Evaluator,
    names: Sequence[str],
    path: str,
    mutants: Sequence[Mutant],
    over: Callable[[], bool],
    end: float,
) -> Standing:
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
    limits = Limits({test: SLOWER * seconds + SHORTEST for test, seconds in took.items()})
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
    return Standing(frozenset(arcs), frozenset(killed), frozenset(judged), len(took), said)


def _steps(answer: dict[str, Any], path: str) -> set[tuple[int, int]]:
    """The steps that a test takes in the file; none of one that does not pass."""
    steps = answer.get("steps")
    if answer.get("outcome") != "passed" or not isinstance(steps, dict):
        return set()
    try:
        return {(int(before), int(after)) for before, after in steps.get(path, ())}
    except (TypeError, ValueError):
        return set()
