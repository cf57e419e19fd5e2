"""How sure a rate is: intervals over instances and over repeats. The standard library is enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb, sqrt
from random import Random
from statistics import NormalDist, fmean, variance

CONFIDENCE = 0.95
RESAMPLES = 2_000
FEWEST = 200
MOST_DRAWS = 20_000_000
"""Values in all resamples together, some seconds' work: of very many values there are fewer resamples, not below the
fewest."""
SEED = 20260101
"""Of every bootstrap here: the same figures each time."""


@dataclass(frozen=True, slots=True)
class Interval:
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Repeated:
    """Several attempts at each instance. `rates` are those of each repeat; `mean` is theirs, with its interval.

    `variance` is that between the repeats' rates (n - 1 below). `pass_at` holds pass@1 to pass@K.
    """

    rates: tuple[float, ...]
    mean: float
    interval: Interval
    variance: float
    pass_at: tuple[float, ...]


def wilson(hits: int, total: int, confidence: float = CONFIDENCE) -> Interval:
    """The score interval of a rate (Wilson, JASA 22, 1927); (0, 1) where there is nothing to go by."""
    if not 0 <= hits <= total:
        raise ValueError(f"{hits} of {total}")
    if not total:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    rate, weight = hits / total, z * z / total
    middle = (rate + weight / 2) / (1 + weight)
    half = z * sqrt(rate * (1 - rate) / total + weight / total / 4) / (1 + weight)
    return Interval(0.0 if not hits else max(0.0, middle - half), 1.0 if hits == total else min(1.0, middle + half))


def pass_at(k: int, tries: int, hits: int) -> float:
    """How likely one of `k` attempts solves it, unbiased, from `hits` in `tries` (Chen et al., arXiv 2107.03374)."""
    if not 0 <= hits <= tries or not 1 <= k <= tries:
        raise ValueError(f"pass@{k} of {hits} in {tries}")
    return 1.0 - comb(tries - hits, k) / comb(tries, k)


def bootstrap(
    values: Sequence[float],
    of: Callable[[Sequence[float]], float] = fmean,
    confidence: float = CONFIDENCE,
    seed: int = SEED,
) -> Interval:
    """The percentile interval of `of(values)` when `values` are drawn anew (Efron & Tibshirani, 1993, chapter 13)."""
    if not values:
        raise ValueError("no values")
    random = Random(seed)
    resamples = max(FEWEST, min(RESAMPLES, MOST_DRAWS // len(values)))
    drawn = sorted(of(random.choices(values, k=len(values))) for _ in range(resamples))
    return Interval(_quantile(drawn, (1 - confidence) / 2), _quantile(drawn, (1 + confidence) / 2))


def _quantile(ordered: Sequence[float], share: float) -> float:
    """By linear interpolation between the two nearest."""
    at = share * (len(ordered) - 1)
    below = int(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (at - below)


def repeated(outcomes: Sequence[Sequence[bool]]) -> Repeated:
    """From one row an instance, with one outcome a repeat. All rows are equally long.

    Attempts at one instance resemble each other, so instances are drawn for the interval, with all their attempts.
    """
    columns = list(zip(*outcomes, strict=True))
    if not columns:
        raise ValueError("no outcomes")
    rates = tuple(fmean(column) for column in columns)
    return Repeated(
        rates=rates,
        mean=fmean(rates),
        interval=bootstrap([fmean(row) for row in outcomes]),
        variance=variance(rates) if len(rates) > 1 else 0.0,
        pass_at=tuple(
            fmean(pass_at(k, len(columns), sum(row)) for row in outcomes) for k in range(1, len(columns) + 1)
        ),
    )
