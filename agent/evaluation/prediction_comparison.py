"""Two sets of predictions on the same instances: which solves more, which costs less, and whether that is chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import comb, sqrt
from statistics import NormalDist, fmean

from agent.evaluation.statistics import CONFIDENCE, Interval, bootstrap, wilson

EXACT = 60
"""Most differences for which the signed-rank test counts all ways the signs can fall."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Dollars an instance, second less first, over the `pairs` for which both are known. `p` by signed ranks."""

    pairs: int
    first: float
    second: float
    difference: float
    interval: Interval
    p: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """`b` instances only the first solves, `c` only the second. `difference` is second less first, as a rate.

    `p` is McNemar's, exact. Where there are several repeats these are of the first; `means` is the difference of the
    mean rates over all of them, with `means_interval`.
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
"""Instance -> whether it is resolved, a repeat each."""


def compare(
    first: Outcomes,
    second: Outcomes,
    spent: Mapping[str, float] | None = None,
    other: Mapping[str, float] | None = None,
) -> Comparison:
    """Compare on the instances that both have. `spent` and `other` are dollars an instance, where they are known."""
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
    """Two-sided: how likely `b` against `c`, or further apart, falls by fair coins (McNemar 1947, exact binomial)."""
    flips, fewer = b + c, min(b, c)
    return min(1.0, 2 * sum(comb(flips, heads) for heads in range(fewer + 1)) / (1 << flips))


def paired_difference(both: int, b: int, c: int, neither: int, confidence: float = CONFIDENCE) -> Interval:
    """The interval of (c - b) / n: Wilson's of the two rates, squared and added, with their correlation.

    Method 10 of Newcombe, Statistics in Medicine 17 (1998) 2635-2650.
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
    """How the two outcomes go together, with Newcombe's correction for continuity where they do so positively."""
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
    """Two-sided p of Wilcoxon's signed-rank test (Biometrics 1, 1945); zeros are left out, ties share their rank.

    Exact for up to `EXACT` differences, by counting the sums that each choice of signs gives; else by the normal
    distribution with the variance that ties leave.
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
    """Twice the rank of each, so that shared ranks are whole numbers."""
    ranks: list[int] = []
    for _, group in groupby(ordered):
        same = len(list(group))
        ranks += [2 * len(ranks) + same + 1] * same
    return ranks
