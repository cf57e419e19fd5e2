"""Growth of counts, and ranking of candidates."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.optimize.measurement import efficiency
from extensions.optimize.measurement.efficiency import (
    Growth,
    RankedCandidate,
    fit_growth,
    is_worthwhile,
    rank_candidates,
)
from trajectories.errors import UsageError
from trajectories.rewards import rewards

SIZES = (64, 128, 256, 512, 1024, 2048)
groups = st.lists(st.integers(1, 10**15), min_size=1, max_size=12)


def counts(cost: Callable[[int], float], sizes: tuple[int, ...] = SIZES) -> list[int]:
    return [round(cost(size)) for size in sizes]


@pytest.mark.parametrize(
    ("cost", "exponent"),
    [
        (lambda n: 90 * n, 1),
        (lambda n: 50 * n * n, 2),
        (lambda n: 7 * n**3, 3),
        (lambda n: 1000 * math.sqrt(n), 0.5),
        (lambda n: 5000, 0),
        (lambda n: 60_000 + 90 * n, 1),
        (lambda n: 3_000_000 + 50 * n * n, 2),
        (lambda n: 40 * n * (n - 1) / 2, 2),
        (lambda n: 2000 + 300 * n + 40 * n * n, 2),
    ],
)
def test_exponent_is_found_despite_constant_overhead(cost: Callable[[int], float], exponent: float) -> None:
    growth = fit_growth(SIZES, counts(cost))
    assert growth.exponent == pytest.approx(exponent, abs=0.06)
    assert growth.low <= exponent <= growth.high
    assert growth.high - growth.low < 0.5


def test_n_log_n_has_exponent_slightly_above_one() -> None:
    growth = fit_growth(SIZES, counts(lambda n: 30 * n * math.log2(n)))
    first, last = (math.log(n * math.log(n)) for n in (SIZES[0], SIZES[-1]))
    assert growth.exponent == pytest.approx((last - first) / math.log(SIZES[-1] / SIZES[0]), abs=0.03)
    assert growth.constant == 0
    assert 1.1 < growth.exponent < 1.25
    larger = fit_growth([n * 1000 for n in SIZES], counts(lambda n: 30 * n * 1000 * math.log2(n * 1000)))
    assert 1.0 < larger.exponent < growth.exponent


def test_growth_reports_fitted_values() -> None:
    growth = fit_growth(SIZES, counts(lambda n: 1_000_000 + 50 * n * n))
    assert growth.constant == pytest.approx(1_000_000, rel=0.05)
    assert growth.at(4096) == pytest.approx(1_000_000 + 50 * 4096**2, rel=0.1)
    assert (growth.sizes, growth.counts[0]) == (SIZES, 1_000_000 + 50 * 64 * 64)


def test_order_of_points_does_not_matter() -> None:
    measured = counts(lambda n: 9 * n * n)
    assert fit_growth(SIZES[::-1], measured[::-1]) == fit_growth(SIZES, measured)


@pytest.mark.slow
def test_range_contains_exponent_of_noisy_counts() -> None:
    """Overhead is up to ten times the least work and noise up to 3 %, more than real counts have."""
    dice, hits = random.Random(4), 0
    for _ in range(100):
        exponent, noise = dice.choice((0.5, 1, 1.5, 2, 3)), dice.choice((0.001, 0.01, 0.03))
        overhead = dice.choice((0, 1, 10)) * 64**exponent
        measured = [1000 * (overhead + n**exponent) * (1 + dice.gauss(0, noise)) for n in SIZES]
        growth = fit_growth(SIZES, measured)
        hits += growth.low <= exponent <= growth.high
    assert hits >= 95


def test_few_sizes_give_slope_and_no_range() -> None:
    growth = fit_growth((100, 200, 400), (100, 400, 1600))
    assert growth.exponent == pytest.approx(2)
    assert (growth.low, growth.high) == (-math.inf, math.inf)
    assert growth.at(800) == pytest.approx(6400)
    assert not fit_growth((100, 200), (5, 5)).is_below(growth)


def test_exponential_growth_has_large_exponent() -> None:
    assert fit_growth((8, 10, 12, 14, 16, 18), [100 * 2**n for n in (8, 10, 12, 14, 16, 18)]).exponent > 7


@pytest.mark.parametrize(
    ("sizes", "measured"), [((1,), (1,)), ((5, 5), (1, 2)), ((0, 1), (1, 2)), ((1, 2), (0, 2)), ((), ())]
)
def test_insufficient_data_for_growth_is_refused(sizes: tuple[int, ...], measured: tuple[int, ...]) -> None:
    with pytest.raises(UsageError):
        fit_growth(sizes, measured)


@pytest.mark.slow
@given(
    st.lists(st.integers(1, 10**6), min_size=4, max_size=8, unique=True),
    st.data(),
)
def test_any_counts_give_valid_growth(sizes: list[int], data: st.DataObject) -> None:
    measured = data.draw(st.lists(st.integers(1, 10**12), min_size=len(sizes), max_size=len(sizes)))
    growth = fit_growth(sizes, measured)
    assert 0 <= growth.exponent <= 64
    assert growth.low <= growth.exponent <= growth.high
    assert growth.constant >= 0
    assert all(map(math.isfinite, (growth.low, growth.high, growth.at(sizes[0]))))


# Ranking


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ([], []),
        ([(900, 5), (1000, 1)], [0, 1]),
        ([(1000, 9), (1049, 2), (1050, 3), (1051, 1)], [1, 2, 0, 3]),
        ([(1000, 2), (1000, 2), (999, 2)], [2, 0, 1]),
        ([(5000, 1), (2000, 1), (1000, 40)], [2, 1, 0]),
    ],
)
def test_candidates_are_ranked_by_count_then_size_of_change(group: list[tuple[int, int]], expected: list[int]) -> None:
    assert rank_candidates([RankedCandidate(*each) for each in group]) == expected


@given(st.lists(st.tuples(st.integers(1, 10**9), st.integers(0, 500)), min_size=1, max_size=9))
def test_winner_is_smallest_change_near_best_count(group: list[tuple[int, int]]) -> None:
    order = rank_candidates([RankedCandidate(*each) for each in group])
    assert sorted(order) == list(range(len(group)))
    best = min(count for count, _ in group)
    count, change = group[order[0]]
    assert count <= best * 1.05
    assert all(change <= other for measured, other in group if measured <= best * 1.05)


QUADRATIC = Growth(2.0, 1.9, 2.1, SIZES, SIZES)
LINEAR = Growth(1.0, 0.9, 1.1, SIZES, SIZES)
UNSURE = Growth(1.0, 0.5, 1.95, SIZES, SIZES)


@pytest.mark.parametrize(
    ("after", "growth", "expected"),
    [
        (98_000, (None, None), True),
        (98_001, (None, None), False),
        (98_001, (QUADRATIC, LINEAR), True),
        (98_001, (LINEAR, QUADRATIC), False),
        (98_001, (QUADRATIC, UNSURE), False),
        (98_001, (QUADRATIC, None), False),
        (101_000, (QUADRATIC, LINEAR), True),
        (102_001, (QUADRATIC, LINEAR), False),
        (50_000, (LINEAR, QUADRATIC), True),
    ],
)
def test_worthwhile_improvements_are_recognised(
    after: int, growth: tuple[Growth | None, Growth | None], expected: bool
) -> None:
    assert is_worthwhile(100_000, after, *growth) is expected


def test_workload_with_zero_count_is_refused() -> None:
    with pytest.raises(UsageError):
        is_worthwhile(0, 0)


def test_rewards_are_those_of_training() -> None:
    assert efficiency.rewards([100, 50]) == rewards([100, 50])
