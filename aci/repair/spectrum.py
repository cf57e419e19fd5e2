"""Spectrum-based fault localization: what runs in failing tests and not in passing ones.

Ochiai is of Abreu, Zoeteweij and van Gemund ("On the accuracy of spectrum-based fault localization", 2007), DStar of
Wong, Debroy, Gao and Li ("The DStar method for effective software fault localization", 2014). What is counted are lines
and steps from line to line, per test, by our own tracer in the target's Python; only the repository's own non-test
Python counts.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aci.candidates import Evaluator
from aci.patch import is_test, is_test_config

FAILING_LIMIT, PASSING_LIMIT = 0.3, 4.0
MOST_FAILING, MOST_PASSING = 12, 300
LONGEST, WAITED = 600.0, 6
"""Seconds of the clock that watching tests takes at most, and how many of them for each CPU second: the machine may be
busy with other things, and tests may wait."""
AWAITED = re.compile(r"(?:DID NOT RAISE (?:any of \()?(?:<class ')?|^AssertionError: (?=\S+ not raised))([\w.]+)")
"""What pytest and unittest say of it."""
Place = tuple[str, int]
"""A file and a line of it."""
Step = tuple[int, int]
"""A line and the one after it in the same frame: minus a function's first line before its first, 0 after its last."""
Event = TypeVar("Event", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Observed:
    """One test on the base: its outcome in our harness, CPU seconds, lines run by path, frames that it raised through,
    the innermost first.

    `said` is the type and text of what it raised. Of a failing test, `flow` are its last steps in the order of time, as
    (number of the frame, path, line), and `calls` the frame that called each; of a passing one only what runs in
    functions that a failing one runs is seen.
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
        """Whether the repository's own code ran at all; if not, no edit of it can help."""
        return any(lines and not of_tests(path) for path, lines in self.lines.items())

    @property
    def awaited(self) -> str:
        """The name of the exception that it waited for in vain, "" where it did not."""
        found = AWAITED.search(self.said)
        return found[1].rpartition(".")[2] if found else ""

    @property
    def raised(self) -> tuple[Place, ...]:
        """The frames of the repository's own code that it raised through, the innermost first."""
        return tuple(place for place in self.trail if not of_tests(place[0]))

    def places(self) -> Iterable[Place]:
        """The lines of the repository's own code that ran."""
        return ((path, line) for path, lines in self.lines.items() if not of_tests(path) for line in lines)

    def stepped(self) -> Iterable[tuple[str, Step]]:
        """The steps that it took in the repository's own code."""
        return ((path, step) for path, steps in self.steps.items() if not of_tests(path) for step in steps)


@dataclass(frozen=True, slots=True)
class Spectrum:
    """What was observed, and the suspicion (Ochiai, 0 to 1) of each line by (path, line), the highest first."""

    failing: tuple[Observed, ...]
    passing: tuple[Observed, ...]
    suspicion: dict[Place, float]
    unseen: tuple[str, ...] = ()
    """Failing tests that were too many to be traced."""
    types: Mapping[Place, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    """What was in scope: by path and first line (a decorator's, if any) of a function, name (`x`, `self.items`) ->
    names of the types seen, in the first calls of each test."""


def observe(
    evaluator: Evaluator,
    failing: Sequence[str],
    passing: Sequence[str],
    cpu_seconds: float,
    seconds: float = LONGEST,
) -> Spectrum:
    """Trace failing tests, then the passing ones nearest to them, within about `cpu_seconds` of the target's, and
    `seconds` of the clock in any case.

    A test whose outcome in our harness is not the one given is left out, and so is a failing one that runs nothing of
    the repository's own (no network, a missing tool): no edit can mend it.
    """
    chosen = list(failing[:MOST_FAILING])
    near = nearest(chosen, passing)[:MOST_PASSING]
    limits = [(test, FAILING_LIMIT) for test in chosen] + [(test, PASSING_LIMIT) for test in near]
    job = {"mode": "trace", "tests": limits, "first": len(chosen), "cpu": min(cpu_seconds, LONGEST)}
    answers = evaluator.ask(job, max(0.0, min(seconds, WAITED * cpu_seconds, LONGEST)))
    return spectrum_of(answers, chosen, failing[MOST_FAILING:])


def spectrum_of(answers: Iterable[dict[str, Any]], failing: Sequence[str], unseen: Sequence[str] = ()) -> Spectrum:
    """What answers of the target's mode `trace` come to, `failing` being the tests of them that are to be mended."""
    seen = {one.test: (one, answer) for answer in answers if (one := _observed(answer)) is not None}
    red = set(failing)
    failed = tuple(
        one
        for one, _ in seen.values()
        if one.test in red and one.outcome in ("failed", "timeout", "died") and one.reaches_source
    )
    passed = tuple(one for one, _ in seen.values() if one.test not in red and one.outcome == "passed")
    used = [seen[one.test][1] for one in (*failed, *passed)]
    scores = ochiai([one.places() for one in failed], [one.places() for one in passed])
    suspicion = dict(sorted(scores.items(), key=lambda item: (-item[1], item[0])))
    return Spectrum(failed, passed, suspicion, tuple(unseen), _types(used))


def ochiai(failing: Sequence[Iterable[Event]], passing: Sequence[Iterable[Event]]) -> dict[Event, float]:
    """Of each event of a failing test: its failing tests / sqrt(all failing tests * all tests of the event)."""
    failed, passed = _counts(failing), _counts(passing)
    return {event: count / math.sqrt(len(failing) * (count + passed[event])) for event, count in failed.items()}


def dstar(failing: Sequence[Iterable[Event]], passing: Sequence[Iterable[Event]]) -> dict[Event, float]:
    """Of each event of a failing test: failing tests squared / (its passing ones + failing ones without it), brought
    to 0 to 1 by x / (1 + x)."""
    failed, passed = _counts(failing), _counts(passing)
    others = len(failing)
    return {event: count**2 / (passed[event] + others - count + count**2) for event, count in failed.items()}


def nearest(failing: Sequence[str], passing: Sequence[str]) -> list[str]:
    """Passing tests ordered by how much of their name (file, class, function) they share with a failing one."""
    heads = {head for test in failing for head in _heads(test)}
    return sorted(passing, key=lambda test: -sum(head in heads for head in _heads(test)))


def of_tests(path: str) -> bool:
    """Whether a file is the tests' own: no edit of it is a repair."""
    return is_test(path) or is_test_config(path)


def _heads(test: str) -> list[str]:
    return [test[: cut.start()] for cut in re.finditer(r"/|::|\.|\[", test)]


def _counts(tests: Iterable[Iterable[Event]]) -> Counter[Event]:
    return Counter(event for events in tests for event in set(events))


def _observed(answer: dict[str, Any]) -> Observed | None:
    """What the evaluator says of a test, or None if it is none of its answers (the code under test writes too)."""
    try:
        return Observed(
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
            told = [(str(path), int(line), dict(names)) for path, line, names in answer.get("types", ())]
            for path, line, names in told:
                for name, kinds in names.items():
                    found.setdefault((path, line), {}).setdefault(str(name), set()).update(map(str, kinds))
        except (TypeError, ValueError):
            continue
    return {place: {name: frozenset(kinds) for name, kinds in names.items()} for place, names in found.items()}
