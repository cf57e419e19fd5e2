"""Measures of efficiency: the growth of a cost with the input size, and the ranking of candidates.

Rewards for training are defined in `trajectories/rewards.py`; `rewards` is also exported here, as a public name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul

from trajectories.errors import UsageError
from trajectories.rewards import rewards as rewards

LEAST_GAIN = 0.02
"""Minimum share of the instructions that a patch has to save, unless it makes the cost grow more slowly."""

AS_GOOD = 0.05
"""Candidates whose cost exceeds the lowest by at most this share are considered equally good; among them, the smallest
change wins."""

ACCURACY = 0.004
"""Minimum relative deviation assumed between counts and a power law."""

DRIFT = 0.1
"""Margin added to the range of the exponent. The cost of one step varies with the size, for example when hash tables
are resized or integers exceed the cache of small integers. For the 100 functions of `benchmarks/growth.py`, the range
contains the known exponent in all cases with this margin, and in 67 without it.
"""

MOVES_ON = 3.0
"""The range is extended by this multiple of the exponent's shift when the smallest size is left out, since
slower-growing terms flatten the slope."""

STEEPEST = 64.0
_F95 = (161.45, 18.51, 10.13, 7.71, 6.61, 5.99, 5.59, 5.32, 5.12, 4.96)
"""The 95 % quantiles of F with 1 and 1, 2, … degrees of freedom; the last one is also used for more."""


# Growth


@dataclass(frozen=True, slots=True)
class Growth:
    """Counts that grow approximately as `constant + factor * (size / largest size) ** exponent` over these sizes.

    `low` and `high` bound the exponent with 95 % confidence; with fewer than four sizes they are infinite (unknown).
    """

    exponent: float
    low: float
    high: float
    sizes: tuple[int, ...]
    counts: tuple[int, ...]
    constant: float = 0.0
    factor: float = 0.0

    def at(self, size: float) -> float:
        """Return the fitted count for a size."""
        return float(self.constant + self.factor * (size / self.sizes[-1]) ** self.exponent)

    def is_below(self, other: Growth) -> bool:
        """Return whether the growth is certainly slower than that of `other`: the ranges do not overlap."""
        return self.high < other.low


@dataclass(frozen=True, slots=True)
class _Power:
    """The best `constant + factor * (size / largest) ** exponent` for one exponent, and its weighted squared error."""

    exponent: float
    constant: float
    factor: float
    error: float


def fit_growth(sizes: Sequence[int], counts: Sequence[float]) -> Growth:
    """Fit N = a + b n^k with a >= 0 and b >= 0 to the counts N for the sizes n, by least squares of relative errors.

    The constant a is fitted too, so that overhead does not flatten the slope; it is 0 unless an F-test requires more.
    Since a is never negative, the exponent for n log n growth is about its average slope over these sizes on a log-log
    scale. Errors are weighted by the square root of
    the size, since large sizes show better how the cost continues to grow. The range contains all exponents whose error
    does not differ significantly from the smallest error, by an F-test. It is extended by MOVES_ON times the shift of
    the exponent without the smallest size, and by DRIFT. Raises UsageError for fewer than two different sizes, and for
    sizes or counts below
    1.
    """
    points = sorted(zip(sizes, counts, strict=True))
    if len({size for size, _ in points}) < 2 or any(size < 1 or count < 1 for size, count in points):
        raise UsageError("Growth needs counts at two sizes or more, all of 1 or more.", "Grow the inputs further.")
    sizes, counts = tuple(size for size, _ in points), tuple(count for _, count in points)
    best, near = _best(sizes, counts)
    low, high = -math.inf, math.inf
    if len(set(sizes)) > 3:
        low, high = min(near), max(near)
        if len(set(sizes[1:])) > 3:
            moved = MOVES_ON * (_best(sizes[1:], counts[1:])[0].exponent - best.exponent)
            low, high = min(low, best.exponent + moved), max(high, min(best.exponent + moved, STEEPEST))
        low, high = low - DRIFT, high + DRIFT
    whole = tuple(round(count) for count in counts)
    return Growth(best.exponent, low, high, sizes, whole, best.constant, best.factor)


def _best(sizes: Sequence[int], counts: Sequence[float]) -> tuple[_Power, list[float]]:
    """Return the best fit, and the exponents whose fit is not significantly worse. Constant counts have exponent 0."""
    if max(counts) <= min(counts) * (1 + ACCURACY):
        return _Power(0.0, 0.0, sum(counts) / len(counts), 0.0), [0.0]
    if len(set(sizes)) < 4:
        return _power(sizes, counts, _slope(sizes, counts), False), []
    exponents = [step / 100 for step in range(801)]
    shifted = [_power(sizes, counts, exponent) for exponent in exponents]
    if min(shifted, key=_error).exponent > 7.9:
        exponents += [step / 10 for step in range(81, int(STEEPEST * 10))]
        shifted += [_power(sizes, counts, exponent) for exponent in exponents[801:]]
    best, freedom = min(shifted, key=_error), len(sizes) - 3
    limit = best.error + max(best.error / freedom, ACCURACY**2) * _F95[min(freedom, len(_F95)) - 1]
    plain = min((_power(sizes, counts, exponent, False) for exponent in exponents), key=_error)
    near = [power.exponent for power in shifted if power.error <= limit]
    return (plain if plain.error <= limit else best), near


def _error(power: _Power) -> float:
    return power.error


def _power(sizes: Sequence[int], counts: Sequence[float], exponent: float, shifted: bool = True) -> _Power:
    """Fit constant and factor, neither below 0, by weighted least squares of relative errors."""
    largest = sizes[-1]
    powers = [(size / largest) ** exponent for size in sizes]
    roots = [math.sqrt(size / largest) for size in sizes]
    scale = len(roots) / sum(roots)
    weights = [root * scale / count**2 for root, count in zip(roots, counts, strict=True)]
    weighted = [weight * x for weight, x in zip(weights, powers, strict=True)]
    w, wx, wxx = math.fsum(weights), math.fsum(weighted), _dot(weighted, powers)
    wy, wxy = _dot(weights, counts), _dot(weighted, counts)
    constant, factor = 0.0, wxy / wxx
    if shifted and (spread := w * wxx - wx * wx) > 1e-12 * w * wxx:
        constant, factor = (wy * wxx - wxy * wx) / spread, (w * wxy - wx * wy) / spread
        if constant < 0:
            constant, factor = 0.0, wxy / wxx
        elif factor < 0:
            constant, factor = wy / w, 0.0
    error = math.fsum(
        weight * (constant + factor * x - y) ** 2 for weight, x, y in zip(weights, powers, counts, strict=True)
    )
    return _Power(exponent, constant, factor, error)


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    return math.fsum(map(mul, left, right))


def _slope(sizes: Sequence[int], counts: Sequence[float]) -> float:
    """Return the least-squares slope of log(count) over log(size), clamped to the range from 0 to STEEPEST."""
    xs, ys = [math.log(size) for size in sizes], [math.log(count) for count in counts]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    slope = sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum((a - x) ** 2 for a in xs)
    return min(max(slope, 0.0), STEEPEST)


# Choice


@dataclass(frozen=True, slots=True)
class RankedCandidate:
    """A correct candidate: its instruction count, and the size of its change (in lines or bytes, but in the same unit
    for all candidates)."""

    count: int
    change: int


def rank_candidates(group: Sequence[RankedCandidate]) -> list[int]:
    """Return the indices of the group, best candidate first.

    Candidates within AS_GOOD of the lowest count come first, ordered by the size of their change, then the other
    candidates by count. Candidates that compare equal keep their order.
    """
    if not group:
        return []
    near = min(entry.count for entry in group) * (1 + AS_GOOD)

    def key(place: int) -> tuple[bool, int, int]:
        entry = group[place]
        return (False, entry.change, entry.count) if entry.count <= near else (True, entry.count, entry.change)

    return sorted(range(len(group)), key=key)


def is_worthwhile(
    before_workload: int, after_workload: int, growth_before: Growth | None = None, growth_after: Growth | None = None
) -> bool:
    """Return whether a patch is worth showing: it saves LEAST_GAIN of the instructions, or its cost grows more slowly.

    In the latter case, the patch must add less than LEAST_GAIN to the instructions. Raises UsageError for a
    workload without instructions.
    """
    if before_workload < 1:
        raise UsageError("A workload has at least one instruction.", "Count the workload first.")
    gain = 1 - after_workload / before_workload
    if gain >= LEAST_GAIN:
        return True
    grows_slower = growth_before is not None and growth_after is not None and growth_after.is_below(growth_before)
    return grows_slower and gain > -LEAST_GAIN
