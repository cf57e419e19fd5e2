"""What a batch will come to, from what is done and what is running: a mean, and a range that holds it 9 times in 10.

The first to be done are the quick and cheap ones, so their plain mean is too low. What runs still has cost at least
what it has: that is survival data, and the estimate is Kaplan and Meier's (1958), in dollars as in seconds. What is
dearer than all that is done is taken to have as much before it as behind it: in a renewal process age and rest are
spread alike. The range is a prediction interval of Student's t, which does not hide how little a few instances say.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import NormalDist

FEWEST, SHARE_DONE = 3, 0.3
"""Instances that must be done before anything is said, and of those that run."""
SHARE = 0.9
"""How often the range is to hold what comes."""
NOTHING = 1e-9
HALVINGS = 30


@dataclass(frozen=True, slots=True)
class Range:
    mean: float
    low: float
    high: float


def whole(done: Sequence[float], running: Sequence[float], waiting: int, most: float = math.inf) -> Range | None:
    """Dollars of all instances together: of the `done` ones, of `running` ones what they have cost so far, and how many
    are not begun. `most` is what one may cost. None where too few are done to say."""
    paid = math.fsum(done) + math.fsum(running)
    if not running and not waiting:
        return Range(paid, paid, paid)
    if too_few(done, running):
        return None
    ahead, spread = _ahead(_Curve(done, running, most), running, waiting, len(done))
    room = math.fsum(max(0.0, most - sum) for sum in running) + (waiting * most if waiting else 0.0)
    return Range(paid + ahead, paid + max(0.0, ahead - spread), paid + max(ahead, min(ahead + spread, room)))


def time_left(done: Sequence[float], running: Sequence[float], waiting: int, workers: int) -> Range | None:
    """Seconds until the last is done: of the `done` ones, of `running` ones those so far. None as for `whole`."""
    if not running and not waiting:
        return Range(0.0, 0.0, 0.0)
    if too_few(done, running):
        return None
    curve = _Curve(done, running)
    if not waiting:
        return Range(*_last(lambda wait: math.prod(curve.ended(age, wait) for age in running), curve.longest))
    work, spread = _ahead(curve, running, waiting, len(done))
    hands = max(1, min(workers, len(running) + waiting))
    # When the last one is begun, the others are anywhere in their run; it is over when the longest rest is.
    rest = curve.rest()
    middle, low, high = _last(lambda wait: curve.rested(wait) ** hands, curve.longest)
    begun, spread = max(0.0, work / hands - rest), spread / hands
    return Range(begun + middle, max(0.0, begun - spread) + low, begun + spread + high)


def too_few(done: Sequence[float], running: Sequence[float]) -> bool:
    """Whether those that are done say too little of the many that began with them."""
    return len(done) < max(FEWEST, SHARE_DONE * len(running))


def _last(over: Callable[[float], float], longest: float) -> tuple[float, float, float]:
    """When the last of several is over: the middle, and the range's ends. `over` says how likely all are by then."""

    def when(share: float) -> float:
        early, late = 0.0, longest
        for _ in range(HALVINGS):
            middle = (early + late) / 2
            early, late = (early, middle) if over(middle) >= share else (middle, late)
        return late

    return when(0.5), when((1 - SHARE) / 2), when((1 + SHARE) / 2)


def _ahead(curve: _Curve, running: Sequence[float], waiting: int, done: int) -> tuple[float, float]:
    """What is still to come, and how far from that it may be."""
    mean, variance = curve.beyond()
    amount, noise = waiting * mean, waiting * variance
    for age in running:
        end, own = curve.beyond(age)
        amount, noise = amount + end - age, noise + own
    # Each comes out as it will, and the mean itself is known from those that are done.
    unsure = (waiting + len(running)) ** 2 * variance / done
    return amount, student(done - 1) * math.sqrt(noise + unsure)


class _Curve:
    """How instances are spread, after Kaplan and Meier: what they come to, and which share of all comes to it."""

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
        if left > NOTHING:  # something runs that is dearer than all that is done
            self._amounts.append(max(ages[-1], min(2 * ages[-1], most)))
            shares.append(left)
            unknown = left * (self._amounts[-1] - ages[-1]) ** 2  # as wide as it is far, as of an exponential rest
        pairs = list(zip(shares, self._amounts, strict=True))
        self.longest = self._amounts[-1]
        self._middle = self._amounts[len(self._amounts) // 2]  # squares from here, or roundings look like spread
        self._weights = _from_the_end(shares)
        self._sums = _from_the_end([share * (amount - self._middle) for share, amount in pairs])
        squares = _from_the_end([share * (amount - self._middle) ** 2 for share, amount in pairs])
        self._squares = [square + unknown for square in squares]

    def beyond(self, age: float = -math.inf) -> tuple[float, float]:
        """Mean and variance of those that come to more than `age`. Where none does, it is that much and no more."""
        first = bisect_right(self._amounts, age)
        if first == len(self._amounts) or (weight := self._weights[first]) <= 0:
            return age, 0.0
        mean = self._sums[first] / weight
        return max(age, self._middle + mean), max(0.0, self._squares[first] / weight - mean**2)

    def ended(self, age: float, wait: float) -> float:
        """How likely one that has come to `age` ends before `wait` more."""
        here, there = self._above(age), self._above(age + wait)
        return 1 - there / here if here > 0 else 1.0

    def rest(self) -> float:
        """The mean of what is ahead of one that is looked at anywhere in its run."""
        mean, variance = self.beyond()
        return (mean**2 + variance) / (2 * mean) if mean > 0 else 0.0

    def rested(self, wait: float) -> float:
        """How likely that is less than `wait`."""
        mean, _ = self.beyond()
        return 1 - self._above(wait) * (self.beyond(wait)[0] - wait) / mean if mean > 0 else 1.0

    def _above(self, age: float) -> float:
        """The share of those that come to more than `age`."""
        first = bisect_right(self._amounts, age)
        return self._weights[first] if first < len(self._amounts) else 0.0


def _from_the_end(values: Sequence[float]) -> list[float]:
    """The sum of each value and all after it."""
    return list(accumulate(reversed(values)))[::-1]


def student(freedom: int, share: float = SHARE) -> float:
    """Student's t for a two-sided interval, by the expansion in 26.7.5 of Abramowitz and Stegun: within 2 % from two
    degrees of freedom on."""
    z = NormalDist().inv_cdf((1 + share) / 2)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return math.fsum(term / freedom**power for power, term in enumerate(terms))
