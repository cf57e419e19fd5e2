"""Forecast of a batch's cost and duration from finished and running instances: a mean and a 90 % prediction range.

The first instances to finish are the quick and cheap ones, so their plain mean is too low. A running instance costs at
least what it has cost so far. This is survival data, so the distribution is estimated with the method of Kaplan and
Meier (1958), for dollars and seconds alike. A running instance more expensive than all finished ones is assumed to be
halfway: in a renewal process, age and remaining life have the same distribution. The range is a prediction interval of
Student's t, which shows how uncertain an estimate from a few instances is.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import NormalDist

FEWEST, SHARE_DONE = 3, 0.3
"""Minimum number of finished instances for a forecast, absolute and relative to the running ones."""
SHARE = 0.9
"""Probability that the range contains the outcome."""
NOTHING = 1e-9
HALVINGS = 30


@dataclass(frozen=True, slots=True)
class ForecastRange:
    mean: float
    low: float
    high: float


def forecast_cost(
    done: Sequence[float], running: Sequence[float], waiting: int, most: float = math.inf
) -> ForecastRange | None:
    """Return a forecast of the dollars for all instances together, or None if too few instances are done.

    `done` and `running` are the dollars spent so far on finished and running instances, `waiting` is the number of
    instances not started, and `most` is the maximum for one instance.
    """
    paid = math.fsum(done) + math.fsum(running)
    if not running and not waiting:
        return ForecastRange(paid, paid, paid)
    if too_few(done, running):
        return None
    ahead, spread = _remaining(_Curve(done, running, most), running, waiting, len(done))
    room = math.fsum(max(0.0, most - sum) for sum in running) + (waiting * most if waiting else 0.0)
    return ForecastRange(paid + ahead, paid + max(0.0, ahead - spread), paid + max(ahead, min(ahead + spread, room)))


def forecast_time(done: Sequence[float], running: Sequence[float], waiting: int, workers: int) -> ForecastRange | None:
    """Return a forecast of the seconds until the last instance is done, or None if too few instances are done.

    `done` and `running` are the seconds taken so far by finished and running instances.
    """
    if not running and not waiting:
        return ForecastRange(0.0, 0.0, 0.0)
    if too_few(done, running):
        return None
    curve = _Curve(done, running)
    if not waiting:
        return ForecastRange(*_last(lambda wait: math.prod(curve.ended(age, wait) for age in running), curve.longest))
    work, spread = _remaining(curve, running, waiting, len(done))
    hands = max(1, min(workers, len(running) + waiting))
    # When the last instance starts, the others are at random points of their runs; the batch ends when the last of them
    # ends.
    rest = curve.rest()
    middle, low, high = _last(lambda wait: curve.rested(wait) ** hands, curve.longest)
    begun, spread = max(0.0, work / hands - rest), spread / hands
    return ForecastRange(begun + middle, max(0.0, begun - spread) + low, begun + spread + high)


def too_few(done: Sequence[float], running: Sequence[float]) -> bool:
    """Whether too few instances are done for a forecast, in comparison with the running ones."""
    return len(done) < max(FEWEST, SHARE_DONE * len(running))


def _last(over: Callable[[float], float], longest: float) -> tuple[float, float, float]:
    """Return the median and the range of the time at which the last of several instances ends. `over` returns the
    probability that all of them have ended by a given time."""

    def when(share: float) -> float:
        early, late = 0.0, longest
        for _ in range(HALVINGS):
            middle = (early + late) / 2
            early, late = (early, middle) if over(middle) >= share else (middle, late)
        return late

    return when(0.5), when((1 - SHARE) / 2), when((1 + SHARE) / 2)


def _remaining(curve: _Curve, running: Sequence[float], waiting: int, done: int) -> tuple[float, float]:
    """Return the expected remaining amount and the half-width of its range."""
    mean, variance = curve.beyond()
    amount, noise = waiting * mean, waiting * variance
    for age in running:
        end, own = curve.beyond(age)
        amount, noise = amount + end - age, noise + own
    # Two sources of error: each instance varies, and the mean is only estimated from the finished ones.
    unsure = (waiting + len(running)) ** 2 * variance / done
    return amount, student_t(done - 1) * math.sqrt(noise + unsure)


class _Curve:
    """The Kaplan-Meier distribution of instances' amounts: the amounts and their shares."""

    def __init__(self, done: Sequence[float], running: Sequence[float], most: float = math.inf) -> None:
        ages = sorted(running)
        self._amounts = sorted(done)
        shares: list[float] = []
        left = 1.0
        for number, amount in enumerate(self._amounts):
            at_risk = len(done) - number + len(ages) - bisect_left(ages, amount)
            shares.append(left / at_risk)
            left -= left / at_risk
        unknown = 0.0
        if left > NOTHING:  # a running instance exceeds all finished ones
            self._amounts.append(max(ages[-1], min(2 * ages[-1], most)))
            shares.append(left)
            unknown = left * (self._amounts[-1] - ages[-1]) ** 2  # as for an exponential distribution
        pairs = list(zip(shares, self._amounts, strict=True))
        self.longest = self._amounts[-1]
        # Squares are relative to this value, to avoid rounding errors.
        self._middle = self._amounts[len(self._amounts) // 2]
        self._weights = _suffix_sums(shares)
        self._sums = _suffix_sums([share * (amount - self._middle) for share, amount in pairs])
        squares = _suffix_sums([share * (amount - self._middle) ** 2 for share, amount in pairs])
        self._squares = [square + unknown for square in squares]

    def beyond(self, age: float = -math.inf) -> tuple[float, float]:
        """Return mean and variance of the amounts greater than `age`; (`age`, 0) if there are none."""
        first = bisect_right(self._amounts, age)
        if first == len(self._amounts) or (weight := self._weights[first]) <= 0:
            return age, 0.0
        mean = self._sums[first] / weight
        return max(age, self._middle + mean), max(0.0, self._squares[first] / weight - mean**2)

    def ended(self, age: float, wait: float) -> float:
        """Return the probability that an instance at `age` ends before `age + wait`."""
        here, there = self._above(age), self._above(age + wait)
        return 1 - there / here if here > 0 else 1.0

    def rest(self) -> float:
        """Return the mean remaining amount of an instance at a random moment of its run."""
        mean, variance = self.beyond()
        return (mean**2 + variance) / (2 * mean) if mean > 0 else 0.0

    def rested(self, wait: float) -> float:
        """Return the probability that an instance at a random moment of its run has less than `wait` remaining."""
        mean, _ = self.beyond()
        return 1 - self._above(wait) * (self.beyond(wait)[0] - wait) / mean if mean > 0 else 1.0

    def _above(self, age: float) -> float:
        """Return the share of amounts greater than `age`."""
        first = bisect_right(self._amounts, age)
        return self._weights[first] if first < len(self._amounts) else 0.0


def _suffix_sums(values: Sequence[float]) -> list[float]:
    """Return the suffix sums: for each value, the sum of this value and all values after it."""
    return list(accumulate(reversed(values)))[::-1]


def student_t(freedom: int, share: float = SHARE) -> float:
    """Return the quantile of Student's t for a two-sided interval, by the expansion 26.7.5 of Abramowitz and Stegun.

    It is accurate to within 2 % from two degrees of freedom on.
    """
    z = NormalDist().inv_cdf((1 + share) / 2)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return math.fsum(term / freedom**power for power, term in enumerate(terms))
