"""Comparison of two sets of predictions on the same instances: solved instances, costs, significance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import comb, sqrt
from statistics import NormalDist, fmean

from extensions.lab.evaluation.confidence_intervals import CONFIDENCE, Interval, bootstrap, wilson

EXACT = 60
"""Maximum number of differences for which the signed-rank test is exact."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Mean cost per instance in dollars, over the `pairs` instances whose costs are known in both sets; `difference` is
    second minus first.

    `p` is the p-value of the signed-rank test.
    """

    pairs: int
    first: float
    second: float
    difference: float
    interval: Interval
    p: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of two sets: `b` instances are solved by the first set only, `c` by the second only, `both` by both
    and `neither` by none.

    `difference` is the difference of the resolved rates, second minus first; `p` is the p-value of McNemar's exact
    test. With several repeats, these values are those of the first repeat, and `means` is the difference of the mean
    rates over all repeats, with the interval `means_interval`.
    """

    instances: int
    both: int
    b: int
    c: int
    neither: int
    p: float
    difference: float
    interval: Interval
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    means: float | None = None
    means_interval: Interval | None = None
    costs: Costs | None = None


Outcomes = Mapping[str, Sequence[bool]]
"""Instance -> whether it is resolved, for each repeat."""


def compare(
    first: Outcomes,
    second: Outcomes,
    spent: Mapping[str, float] | None = None,
    other: Mapping[str, float] | None = None,
) -> Comparison:
    """Compare two sets on their common instances. `spent` and `other` are the known costs in dollars by instance, for
    the first and the second set."""
    ids = sorted(first.keys() & second.keys())
    one = {name for name in ids if first[name][0]}
    two = {name for name in ids if second[name][0]}
    both, b, c = len(one & two), len(one - two), len(two - one)
    many = any(len(row) > 1 for outcomes in (first, second) for row in outcomes.values())
    apart = [fmean(second[name]) - fmean(first[name]) for name in ids] if many else []
    return Comparison(
        instances=len(ids),
        both=both,
        b=b,
        c=c,
        neither=len(ids) - both - b - c,
        p=mcnemar(b, c),
        difference=(c - b) / len(ids) if ids else 0.0,
        interval=paired_difference(both, b, c, len(ids) - both - b - c),
        only_first=tuple(sorted(one - two)),
        only_second=tuple(sorted(two - one)),
        means=fmean(apart) if apart else None,
        means_interval=bootstrap(apart) if apart else None,
        costs=_costs(ids, spent or {}, other or {}),
    )


def mcnemar(b: int, c: int) -> float:
    """Return the two-sided p-value of McNemar's test (1947, exact binomial)."""
    flips, fewer = b + c, min(b, c)
    return min(1.0, 2 * sum(comb(flips, heads) for heads in range(fewer + 1)) / (1 << flips))


def paired_difference(both: int, b: int, c: int, neither: int, confidence: float = CONFIDENCE) -> Interval:
    """Return the confidence interval of (c - b) / n, computed from Wilson's intervals of the two rates and their
    correlation.

    This is method 10 of Newcombe, Statistics in Medicine 17 (1998) 2635-2650.
    """
    total = both + b + c + neither
    if not total:
        return Interval(-1.0, 1.0)
    hits = both + c, both + b
    (up, up_of), (down, down_of) = ((count / total, wilson(count, total, confidence)) for count in hits)
    phi = _phi(both, b, c, neither)
    return Interval(
        up - down - _reach(up - up_of.low, down_of.high - down, phi),
        up - down + _reach(up_of.high - up, down - down_of.low, phi),
    )


def _reach(one: float, two: float, phi: float) -> float:
    return sqrt(max(0.0, one * one - 2 * phi * one * two + two * two))


def _phi(both: int, b: int, c: int, neither: int) -> float:
    """Return the correlation of the two outcomes; if it is positive, Newcombe's continuity correction is applied."""
    margins = (both + b) * (c + neither) * (both + c) * (b + neither)
    if not margins:
        return 0.0
    apart = both * neither - b * c
    total = both + b + c + neither
    return (max(apart - total / 2, 0.0) if apart > 0 else apart) / sqrt(margins)


def _costs(ids: Sequence[str], spent: Mapping[str, float], other: Mapping[str, float]) -> Costs | None:
    known = [name for name in ids if name in spent and name in other]
    if not known:
        return None
    apart = [other[name] - spent[name] for name in known]
    return Costs(
        pairs=len(known),
        first=fmean(spent[name] for name in known),
        second=fmean(other[name] for name in known),
        difference=fmean(apart),
        interval=bootstrap(apart),
        p=signed_ranks(apart),
    )


def signed_ranks(differences: Sequence[float]) -> float:
    """Return the two-sided p-value of Wilcoxon's signed-rank test (Biometrics 1, 1945); zeros are omitted, ties share
    ranks.

    Up to `EXACT` differences, the p-value is exact, computed by counting over all assignments of signs; for more, it is
    based on the normal approximation with the variance corrected for ties.
    """
    moved = sorted((value for value in differences if value), key=abs)
    doubled = _doubled_ranks([abs(value) for value in moved])
    up = sum(rank for rank, value in zip(doubled, moved, strict=True) if value > 0)
    if not moved:
        return 1.0
    fewer = min(up, sum(doubled) - up)
    if len(moved) > EXACT:
        spread = sqrt(sum(rank * rank for rank in doubled)) / 2
        return min(1.0, 2 * NormalDist().cdf((fewer - sum(doubled) / 2) / spread))
    ways = [1] + [0] * sum(doubled)
    for rank in doubled:
        for at in range(len(ways) - 1, rank - 1, -1):
            ways[at] += ways[at - rank]
    return min(1.0, 2 * sum(ways[: fewer + 1]) / (1 << len(doubled)))


def _doubled_ranks(ordered: Sequence[float]) -> list[int]:
    """Return twice the rank of each value, so that shared ranks are whole numbers."""
    ranks: list[int] = []
    for _, group in groupby(ordered):
        same = len(list(group))
        ranks += [2 * len(ranks) + same + 1] * same
    return ranks
