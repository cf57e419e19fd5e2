"""Spectrum-based fault localization: which lines run in failing tests and not in passing ones (Ochiai).

Coverage is per test, by our own tracer in the target's Python; only the repository's own non-test Python counts.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aci.candidates import Evaluator
from aci.patch import is_test, is_test_config

FAILING_LIMIT, PASSING_LIMIT = 0.3, 4.0
MOST_FAILING, MOST_PASSING = 12, 300
RAISED_BONUS = 0.15


@dataclass(frozen=True, slots=True)
class Observed:
    """One test on the base: its outcome in our harness, CPU seconds, lines run by path, frames it raised in."""

    test: str
    outcome: str
    seconds: float
    lines: dict[str, frozenset[int]]
    raised: tuple[tuple[str, int], ...] = ()

    @property
    def reaches_source(self) -> bool:
        """Whether the repository's own code ran at all; if not, no edit of it can help."""
        return any(lines and not _is_test(path) for path, lines in self.lines.items())


@dataclass(frozen=True, slots=True)
class Spectrum:
    """What was observed, and the suspicion (0 to about 1) of each line by (path, line)."""

    failing: tuple[Observed, ...]
    passing: tuple[Observed, ...]
    suspicion: dict[tuple[str, int], float]
    unseen: tuple[str, ...] = ()
    """Failing tests that were too many to be traced."""

    @property
    def paths(self) -> list[str]:
        """Paths by their most suspicious line, then by the sum over their lines."""
        best: dict[str, float] = {}
        total: Counter[str] = Counter()
        for (path, _), score in self.suspicion.items():
            best[path] = max(best.get(path, 0.0), score)
            total[path] += score  # type: ignore[assignment]
        return sorted(best, key=lambda path: (-best[path], -total[path], path))


def observe(evaluator: Evaluator, failing: Sequence[str], passing: Sequence[str], seconds: float) -> Spectrum:
    """Trace failing tests, then the passing ones nearest to them, within about `seconds`.

    A test whose outcome in our harness is not the one given is left out, and so is a failing one that runs nothing of
    the repository's own (no network, a missing tool): no edit can mend it.
    """
    chosen = list(failing[:MOST_FAILING])
    near = nearest(chosen, passing)[:MOST_PASSING]
    limits = [(test, FAILING_LIMIT) for test in chosen] + [(test, PASSING_LIMIT) for test in near]
    answers = [_observed(answer) for answer in evaluator.trace(limits, seconds)]
    seen = [one for one in answers if one is not None]
    red = set(chosen)
    failed = tuple(
        one for one in seen if one.test in red and one.outcome in ("failed", "timeout", "died") and one.reaches_source
    )
    passed = tuple(one for one in seen if one.test not in red and one.outcome == "passed")
    return Spectrum(failed, passed, ochiai(failed, passed), tuple(failing[MOST_FAILING:]))


def ochiai(failing: Sequence[Observed], passing: Sequence[Observed]) -> dict[tuple[str, int], float]:
    """failed(line) / sqrt(all failed * (failed(line) + passed(line))), and a bonus where a failing test raised."""
    failed, passed = _counts(failing), _counts(passing)
    scores = {
        place: count / math.sqrt(len(failing) * (count + passed[place])) for place, count in failed.items() if count
    }
    for observed in failing:
        for place in observed.raised[:1]:
            if place in scores:
                scores[place] += RAISED_BONUS / len(failing)
    return dict(sorted(scores.items(), key=lambda item: (-item[1], item[0])))


def nearest(failing: Sequence[str], passing: Sequence[str]) -> list[str]:
    """Passing tests ordered by how much of their name (file, class, function) they share with a failing one."""
    heads = {head for test in failing for head in _heads(test)}
    return sorted(passing, key=lambda test: -sum(head in heads for head in _heads(test)))


def _is_test(path: str) -> bool:
    return is_test(path) or is_test_config(path)


def _heads(test: str) -> list[str]:
    return [test[: cut.start()] for cut in re.finditer(r"/|::|\.|\[", test)]


def _counts(observed: Iterable[Observed]) -> Counter[tuple[str, int]]:
    return Counter(
        (path, line) for one in observed for path, lines in one.lines.items() if not _is_test(path) for line in lines
    )


def _observed(answer: dict[str, Any]) -> Observed | None:
    """What the evaluator says of a test, or None if it is none of its answers (the code under test writes too)."""
    try:
        return Observed(
            test=str(answer["test"]),
            outcome=str(answer["outcome"]),
            seconds=float(answer["seconds"]),
            lines={str(path): frozenset(map(int, lines)) for path, lines in answer["lines"].items()},
            raised=tuple((str(path), int(line)) for path, line in answer["raised"] if not _is_test(str(path))),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
