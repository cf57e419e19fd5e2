"""Spectrum-based fault localization: lines that run in failing tests and not in passing ones.

Ochiai was introduced by Abreu, Zoeteweij and van Gemund ("On the accuracy of spectrum-based fault localization", 2007),
DStar by Wong, Debroy, Gao and Li ("The DStar method for effective software fault localization", 2014). A tracer in the
target's Python counts lines and steps from line to line, for each test. Only the repository's own non-test Python code
counts.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aci.repository.test_files import is_test, is_test_config
from extensions.experiment.evaluator.candidate_evaluator import Evaluator

FAILING_LIMIT, PASSING_LIMIT = 0.3, 4.0
MOST_FAILING, MOST_PASSING = 12, 300
LONGEST, WAITED = 600.0, 6
"""Maximum number of seconds of wall time for tracing tests, in total and for each CPU second: the machine may be busy
with other programs, and tests may wait."""
EXPECTED_EXCEPTION = re.compile(
    r"(?:DID NOT RAISE (?:any of \()?(?:<class ')?|^AssertionError: (?=\S+ not raised))([\w.]+)"
)
"""Messages of pytest and unittest about an expected exception that was not raised."""
Place = tuple[str, int]
"""A file and a line number."""
Step = tuple[int, int]
"""Two line numbers: a line and the next line that ran in the same frame. When a function is entered, the first number
is minus the number of the function's first line; when it is left, the second number is 0."""
Event = TypeVar("Event", bound=Hashable)


@dataclass(frozen=True, slots=True)
class TracedTest:
    """One traced test on the base: outcome, CPU seconds, and the lines that ran, by path.

    `trail` are the frames that the test's exception passed through, the innermost first; `said` is the exception's type
    and message. For a failing test, `flow` are its last steps in order of time, as (number of the frame, path, line),
    and `calls` the calling frame of each frame. Passing tests are traced only in functions that a failing test runs.
    """

    test: str
    outcome: str
    seconds: float
    lines: dict[str, frozenset[int]]
    trail: tuple[Place, ...] = ()
    said: str = ""
    steps: dict[str, frozenset[Step]] = field(default_factory=dict)
    flow: tuple[tuple[int, str, int], ...] = ()
    calls: dict[int, int] = field(default_factory=dict)

    @property
    def reaches_source(self) -> bool:
        """Whether any of the repository's own code ran; otherwise no edit can fix the test."""
        return any(lines and not belongs_to_tests(path) for path, lines in self.lines.items())

    @property
    def expected_exception(self) -> str:
        """The name of the exception that the test expected, but that was not raised; "" if there is none."""
        found = EXPECTED_EXCEPTION.search(self.said)
        return found[1].rpartition(".")[2] if found else ""

    @property
    def raised(self) -> tuple[Place, ...]:
        """The frames of the repository's own code that the test's exception passed through, the innermost first."""
        return tuple(place for place in self.trail if not belongs_to_tests(place[0]))

    def places(self) -> Iterable[Place]:
        """Return the lines of the repository's own code that ran."""
        return ((path, line) for path, lines in self.lines.items() if not belongs_to_tests(path) for line in lines)

    def stepped(self) -> Iterable[tuple[str, Step]]:
        """Return the steps taken in the repository's own code."""
        return ((path, step) for path, steps in self.steps.items() if not belongs_to_tests(path) for step in steps)


@dataclass(frozen=True, slots=True)
class Spectrum:
    """The traced tests, and the suspiciousness (Ochiai, 0 to 1) of each line by (path, line), highest first."""

    failing: tuple[TracedTest, ...]
    passing: tuple[TracedTest, ...]
    suspicion: dict[Place, float]
    unseen: tuple[str, ...] = ()
    """Failing tests that were not traced because of the limit."""
    types: Mapping[Place, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    """Types of the names in scope (`x`, `self.items`) in the first calls of each test, by path and first line of a
    function (that of its first decorator, if any)."""


def trace_tests(
    evaluator: Evaluator,
    failing: Sequence[str],
    passing: Sequence[str],
    cpu_seconds: float,
    seconds: float = LONGEST,
) -> Spectrum:
    """Trace failing tests, then the passing tests with the most similar names.

    Tracing takes about `cpu_seconds` of the target's CPU time, and at most `seconds` of wall time. Tests whose outcome
    differs from the given one are left out, and so are failing tests that run none of the repository's own code (no
    network, a missing tool), since no edit can fix them.
    """
    chosen = list(failing[:MOST_FAILING])
    near = sort_by_name_overlap(chosen, passing)[:MOST_PASSING]
    limits = [(test, FAILING_LIMIT) for test in chosen] + [(test, PASSING_LIMIT) for test in near]
    job = {"mode": "trace", "tests": limits, "first": len(chosen), "cpu": min(cpu_seconds, LONGEST)}
    answers = evaluator.ask(job, max(0.0, min(seconds, WAITED * cpu_seconds, LONGEST)))
    return build_spectrum(answers, chosen, failing[MOST_FAILING:])


def build_spectrum(answers: Iterable[dict[str, Any]], failing: Sequence[str], unseen: Sequence[str] = ()) -> Spectrum:
    """Build the spectrum from answers of the target's mode `trace`; `failing` are the tests to fix."""
    traced = {one.test: (one, answer) for answer in answers if (one := _observed(answer)) is not None}
    red = set(failing)
    failed = tuple(
        one
        for one, _ in traced.values()
        if one.test in red and one.outcome in ("failed", "timeout", "died") and one.reaches_source
    )
    passed = tuple(one for one, _ in traced.values() if one.test not in red and one.outcome == "passed")
    used = [traced[one.test][1] for one in (*failed, *passed)]
    scores = ochiai([one.places() for one in failed], [one.places() for one in passed])
    suspicion = dict(sorted(scores.items(), key=lambda item: (-item[1], item[0])))
    return Spectrum(failed, passed, suspicion, tuple(unseen), _types(used))


def ochiai(failing: Sequence[Iterable[Event]], passing: Sequence[Iterable[Event]]) -> dict[Event, float]:
    """Return the Ochiai score of each event of a failing test: failing tests with the event / sqrt(all failing tests *
    all tests with the event)."""
    failed, passed = _counts(failing), _counts(passing)
    return {event: count / math.sqrt(len(failing) * (count + passed[event])) for event, count in failed.items()}


def dstar(failing: Sequence[Iterable[Event]], passing: Sequence[Iterable[Event]]) -> dict[Event, float]:
    """Return the DStar score of each event of a failing test: failing tests with the event squared / (passing tests
    with it + failing tests without it).

    The score x is mapped to the range from 0 to 1 by x / (1 + x).
    """
    failed, passed = _counts(failing), _counts(passing)
    others = len(failing)
    return {event: count**2 / (passed[event] + others - count + count**2) for event, count in failed.items()}


def sort_by_name_overlap(failing: Sequence[str], passing: Sequence[str]) -> list[str]:
    """Return the passing tests, starting with those that share most of their name (file, class, function) with a
    failing one."""
    heads = {head for test in failing for head in _heads(test)}
    return sorted(passing, key=lambda test: -sum(head in heads for head in _heads(test)))


def belongs_to_tests(path: str) -> bool:
    """Whether a file belongs to the tests, so that no edit of it is a repair."""
    return is_test(path) or is_test_config(path)


def _heads(test: str) -> list[str]:
    return [test[: cut.start()] for cut in re.finditer(r"/|::|\.|\[", test)]


def _counts(tests: Iterable[Iterable[Event]]) -> Counter[Event]:
    return Counter(event for events in tests for event in set(events))


def _observed(answer: dict[str, Any]) -> TracedTest | None:
    """Parse an answer on a test; None if it is not the evaluator's, since the code under test can write lines too."""
    try:
        return TracedTest(
            test=str(answer["test"]),
            outcome=str(answer["outcome"]),
            seconds=float(answer["seconds"]),
            lines={str(path): frozenset(map(int, lines)) for path, lines in answer["lines"].items()},
            trail=tuple((str(path), int(line)) for path, line in answer["raised"]),
            said=str(answer.get("said", "")),
            steps={
                str(path): frozenset((int(last), int(line)) for last, line in steps)
                for path, steps in answer.get("steps", {}).items()
            },
            flow=tuple((int(frame), str(path), int(line)) for frame, path, line in answer.get("flow", ())),
            calls={int(frame): int(above) for frame, above in answer.get("calls", ())},
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _types(answers: Iterable[dict[str, Any]]) -> dict[Place, dict[str, frozenset[str]]]:
    found: dict[Place, dict[str, set[str]]] = {}
    for answer in answers:
        try:
            scopes = [(str(path), int(line), dict(names)) for path, line, names in answer.get("types", ())]
            for path, line, names in scopes:
                for name, kinds in names.items():
                    found.setdefault((path, line), {}).setdefault(str(name), set()).update(map(str, kinds))
        except (TypeError, ValueError):
            continue
    return {place: {name: frozenset(kinds) for name, kinds in names.items()} for place, names in found.items()}
