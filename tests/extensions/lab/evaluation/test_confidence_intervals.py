"""Confidence intervals and repeats, checked against published figures and general properties."""

from __future__ import annotations

from itertools import combinations
from math import comb
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.lab.evaluation import confidence_intervals
from extensions.lab.evaluation.confidence_intervals import bootstrap, pass_at, repeat_statistics, wilson


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [  # Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_matches_published_intervals(hits: int, total: int, low: float, high: float) -> None:
    interval = wilson(hits, total)
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


@given(st.integers(1, 3000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_wilson_contains_rate_and_is_symmetric(counts: tuple[int, int]) -> None:
    hits, total = counts
    interval, mirrored = wilson(hits, total), wilson(total - hits, total)
    assert 0 <= interval.low <= hits / total <= interval.high <= 1
    assert interval.low < interval.high
    assert interval.low == pytest.approx(1 - mirrored.high)


def test_wilson_narrows_with_more_trials() -> None:
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)
    assert wilson(500, 1000).high - wilson(500, 1000).low < wilson(5, 10).high - wilson(5, 10).low
    with pytest.raises(ValueError, match="3 of 2"):
        wilson(3, 2)


@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n), st.integers(0, n))))
def test_pass_at_k_is_share_of_choices_with_hit(counts: tuple[int, int, int]) -> None:
    k, tries, hits = counts
    outcomes = [True] * hits + [False] * (tries - hits)
    chosen = [any(outcomes[at] for at in places) for places in combinations(range(tries), k)]
    assert len(chosen) == comb(tries, k)
    assert pass_at(k, tries, hits) == pytest.approx(fmean(chosen))


def test_pass_at_k_rejects_k_above_number_of_tries() -> None:
    with pytest.raises(ValueError, match="pass@3 of 1 in 2"):
        pass_at(3, 2, 1)


def test_bootstrap_is_deterministic_and_contains_mean() -> None:
    values = [0.0] * 30 + [1.0] * 70
    interval = bootstrap(values)
    assert interval == bootstrap(values)
    uneven = [at**0.5 for at in range(50)]
    assert bootstrap(uneven) != bootstrap(uneven, seed=1)
    # Near the normal distribution's 0.7 -+ 1.96 * sqrt(0.21 / 100).
    assert interval.low == pytest.approx(0.610, abs=0.015)
    assert interval.high == pytest.approx(0.790, abs=0.015)


def test_repeat_statistics_match_manual_count() -> None:
    repeats = repeat_statistics([[True, True], [True, False], [False, False], [False, True]])
    assert repeats.rates == (0.5, 0.5)
    assert repeats.mean == 0.5
    assert repeats.variance == 0.0
    assert repeats.pass_at == (0.5, 0.75)
    uneven = repeat_statistics([[True, False, False]] * 2)
    assert uneven.rates == (1.0, 0.0, 0.0)
    assert uneven.variance == pytest.approx(1 / 3)


def test_attempts_at_one_instance_count_as_one_instance() -> None:
    single = [[hit] for hit in (True, False) * 20]
    copied = [row * 5 for row in single]
    assert repeat_statistics(copied).interval == repeat_statistics(single).interval, (
        "five equal attempts change the interval"
    )
    mixed = repeat_statistics([[True, False] * 2 for _ in range(40)])
    assert mixed.interval.low == mixed.interval.high == 0.5, "equal instances should have no variance"


@pytest.mark.parametrize("outcomes", [[], [[], []]])
def test_repeat_statistics_rejects_empty_outcomes(outcomes: list[list[bool]]) -> None:
    with pytest.raises(ValueError, match="no outcomes"):
        repeat_statistics(outcomes)


def test_repeat_statistics_rejects_rows_of_different_length() -> None:
    with pytest.raises(ValueError, match="shorter"):
        repeat_statistics([[True, True], [True]])


def test_bootstrap_draws_less_often_for_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confidence_intervals, "MOST_DRAWS", 30_000)
    for count, times in ((10, 2000), (100, 300), (1000, 200)):
        drawn = list[int]()
        bootstrap([0.0] * count, of=lambda values, drawn=drawn: float(drawn.append(len(values)) or 0))
        assert drawn == [count] * times
