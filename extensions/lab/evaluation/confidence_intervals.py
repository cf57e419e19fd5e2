"""Confidence intervals of rates, over instances and over repeats, with the standard library only."""

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
"""Maximum total number of values in all resamples, which limits the computing time to a few seconds. With very many
values there are fewer resamples, but at least `FEWEST`."""
SEED = 20260101
"""Seed of every bootstrap, for reproducible results."""


@dataclass(frozen=True, slots=True)
class Interval:
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RepeatStatistics:
    """Statistics of several attempts at each instance: the `rates` of the repeats, and their `mean` with its interval.

    `variance` is the sample variance of the rates (divided by n - 1). `pass_at` holds pass@1 to pass@K.
    """

    rates: tuple[float, ...]
    mean: float
    interval: Interval
    variance: float
    pass_at: tuple[float, ...]


def wilson(hits: float, total: float, confidence: float = CONFIDENCE) -> Interval:
    """Return the score interval of a rate (Wilson, JASA 22, 1927); (0, 1) if `total` is 0."""
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
    """Return the unbiased estimate of pass@k from `hits` in `tries` (Chen et al., arXiv 2107.03374)."""
    if not 0 <= hits <= tries or not 1 <= k <= tries:
        raise ValueError(f"pass@{k} of {hits} in {tries}")
    return 1.0 - comb(tries - hits, k) / comb(tries, k)


def bootstrap(
    values: Sequence[float],
    of: Callable[[Sequence[float]], float] = fmean,
    confidence: float = CONFIDENCE,
    seed: int = SEED,
) -> Interval:
    """Return the percentile interval of `of(values)` over resamples (Efron & Tibshirani, 1993, chapter 13)."""
    if not values:
        raise ValueError("no values")
    random = Random(seed)
    resamples = max(FEWEST, min(RESAMPLES, MOST_DRAWS // len(values)))
    drawn = sorted(of(random.choices(values, k=len(values))) for _ in range(resamples))
    return Interval(_quantile(drawn, (1 - confidence) / 2), _quantile(drawn, (1 + confidence) / 2))


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Return a quantile by linear interpolation between the two nearest values."""
    at = share * (len(ordered) - 1)
    below = int(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (at - below)


def repeat_statistics(outcomes: Sequence[Sequence[bool]]) -> RepeatStatistics:
    """Return statistics of repeated attempts; `outcomes` has a row for each instance, with an outcome for each repeat.
    All rows have the same length.

    Attempts at one instance are correlated, so the bootstrap resamples whole instances with all their attempts.
    """
    columns = list(zip(*outcomes, strict=True))
    if not columns:
        raise ValueError("no outcomes")
    rates = tuple(fmean(column) for column in columns)
    return RepeatStatistics(
        rates=rates,
        mean=fmean(rates),
        interval=bootstrap([fmean(row) for row in outcomes]),
        variance=variance(rates) if len(rates) > 1 else 0.0,
        pass_at=tuple(
            fmean(pass_at(k, len(columns), sum(row)) for row in outcomes) for k in range(1, len(columns) + 1)
        ),
    )
