"""Ranking of conditions for a statement, by the values that they have each time a test reaches the statement (an
arrival).

A condition that makes no difference in any failing test cannot fix the bug. If several conditions have the same values
on all arrivals, only the first is tried early. Only a limited number of arrivals is observed, so conditions that seem
useless come last instead of being left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from extensions.experiment.evaluator.condition_probes import ConditionTruth
from extensions.repair.candidates.template_site import TemplateSite

ALIKE, USELESS = 0.3, 0.05
"""Factors for a condition that has the same values as an earlier one, or that changes nothing in any failing test."""


@dataclass(frozen=True, slots=True)
class Option:
    """Code to insert, with the values of its condition before and after the edit on each arrival, if both are known."""

    text: str
    before: ConditionTruth | None = None
    after: ConditionTruth | None = None


def probed_values(spot: TemplateSite, texts: Iterable[str]) -> Mapping[str, ConditionTruth]:
    """Return the observed values of conditions at a statement; empty if nothing was observed."""
    return spot.probe(list(dict.fromkeys(texts))) if spot.probe is not None else {}


def rank_options(options: Iterable[Option]) -> Iterator[tuple[str, float]]:
    """Yield the text of each option with its relative likelihood. Options that have the same values as an earlier one
    or that change nothing come last; otherwise the order is preserved."""
    seen: set[str] = set()
    later: list[tuple[str, float]] = []
    for option in options:
        if option.before is None or option.after is None:
            yield option.text, 1.0
        elif option.before.failing == option.after.failing:
            later.append((option.text, USELESS))
        elif option.after.digest in seen:
            later.append((option.text, ALIKE))
        else:
            seen.add(option.after.digest)
            yield option.text, 1.0
    yield from sorted(later, key=lambda one: -one[1])


def values_of_false(truth: ConditionTruth | None) -> ConditionTruth | None:
    """Return the values of the constant condition `False` on the same arrivals."""
    return truth and ConditionTruth("0" * len(truth.failing), "0" * len(truth.passing))


def negated(truth: ConditionTruth | None) -> ConditionTruth | None:
    turn = str.maketrans("01", "10")
    return truth and ConditionTruth(truth.failing.translate(turn), truth.passing.translate(turn))


def with_or(left: ConditionTruth | None, right: ConditionTruth | None) -> ConditionTruth | None:
    """Return the values of `left or right` on each arrival."""
    return _joined(left, right, "1")


def with_and(left: ConditionTruth | None, right: ConditionTruth | None) -> ConditionTruth | None:
    """Return the values of `left and right` on each arrival."""
    return _joined(left, right, "0")


def _joined(left: ConditionTruth | None, right: ConditionTruth | None, decided: str) -> ConditionTruth | None:
    """Combine the values of the two sides of an `and` or `or`. The right side is used only where the left side neither
    decides the result nor raises an exception."""
    if left is None or right is None or len(left.failing) != len(right.failing):
        return None

    def join(one: str, other: str) -> str:
        return "".join(a if a in (decided, "!") else b for a, b in zip(one, other, strict=False))

    return ConditionTruth(join(left.failing, right.failing), join(left.passing, right.passing))
