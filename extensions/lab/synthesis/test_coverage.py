"""Coverage of the source by each test, to skip candidates that no test runs and to run the nearest tests first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from aci.repository.test_files import belongs_to_tests
from aci.runtime.workspace import Workspace
from extensions.experiment.evaluator.candidate_evaluator import Evaluator
from trajectories.errors import UsageError, WorkspaceError

SLOWER, SHORTEST = 8.0, 2.0
"""CPU limit of a traced test: a multiple of its time without the tracer, and at least this many seconds."""
MOST_TESTS = 3000
CPU_SECONDS, SECONDS = 240.0, 600.0


@dataclass(frozen=True, slots=True)
class TestCoverage:
    """The tests that run each line, by path and line number. Code outside of functions runs at import; its tests are
    unknown."""

    __test__ = False

    tests: Mapping[str, Mapping[int, frozenset[str]]] = field(default_factory=dict)

    def of_lines(self, path: str, lines: Iterable[int]) -> frozenset[str]:
        """Return the tests that run any of the lines."""
        known = self.tests.get(path, {})
        return frozenset().union(*(known.get(line, frozenset()) for line in lines))


def measure_test_coverage(
    workspace: Workspace, command: str, seconds: Mapping[str, float], cancel: Event, say: Callable[[str], None]
) -> TestCoverage | None:
    """Trace the tests, given with their times, one by one in one process.

    Return None if that is impossible, for example because the tests are not Python's. Raises Cancelled.
    """
    names = list(seconds)[:MOST_TESTS]
    limits = [[name, max(SHORTEST, SLOWER * seconds[name])] for name in names]
    try:
        with Evaluator(workspace, command, names, cancel) as evaluator:
            answers = evaluator.ask({"mode": "trace", "tests": limits, "cpu": CPU_SECONDS}, SECONDS)
    except (UsageError, WorkspaceError) as error:
        say(f"The coverage of the tests is unknown, so every candidate runs all tests: {error.message.splitlines()[0]}")
        return None
    return build_coverage(answers)


def build_coverage(answers: Sequence[Mapping[str, Any]]) -> TestCoverage | None:
    """Return the coverage of the tests that passed; None if there are none."""
    found: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for answer in answers:
        lines = answer.get("lines")
        if answer.get("outcome") != "passed" or not isinstance(lines, dict):
            continue
        for path, numbers in lines.items():
            for number in numbers if isinstance(numbers, list) and not belongs_to_tests(path) else ():
                if isinstance(number, int):
                    found[path][number].add(str(answer["test"]))
    if not found:
        return None
    return TestCoverage(
        {path: {line: frozenset(tests) for line, tests in lines.items()} for path, lines in found.items()}
    )
