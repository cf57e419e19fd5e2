"""Paired comparisons, checked against published figures, manual counts and general properties."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.lab.evaluation import prediction_comparison
from extensions.lab.evaluation.prediction_comparison import compare, mcnemar, paired_difference, signed_ranks

COUNTS = st.integers(0, 40)


def test_mcnemar_matches_published_value() -> None:
    # Fagerland, Lydersen, Laake, Statistics in Medicine 33 (2014) 2850-2875: 7 against 1 pairs.
    assert mcnemar(1, 7) == pytest.approx(0.0703, abs=5e-5)
    assert mcnemar(7, 1) == mcnemar(1, 7)
    assert mcnemar(0, 0) == mcnemar(3, 3) == 1.0
    assert mcnemar(0, 6) == pytest.approx(2 / 64)
    assert 0 < mcnemar(700, 900) < 1e-6, "large counts stay exact"


@given(st.integers(0, 10), st.integers(0, 10))
def test_mcnemar_equals_coin_flip_probability(b: int, c: int) -> None:
    flips = b + c
    heads = [sum(coins) for coins in product((0, 1), repeat=flips)] if flips <= 12 else []
    if heads:
        apart = sum(abs(2 * each - flips) >= abs(b - c) for each in heads) / len(heads)
        assert mcnemar(b, c) == pytest.approx(apart)


def test_paired_difference_matches_published_interval() -> None:
    # The same pairs: 1 both, 1 and 7 different, 12 neither; Newcombe's interval is -0.507 to -0.026.
    interval = paired_difference(both=1, b=7, c=1, neither=12)
    assert (round(interval.low, 3), round(interval.high, 3)) == (-0.507, -0.026)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_paired_interval_contains_difference_and_is_symmetric(both: int, b: int, c: int, neither: int) -> None:
    interval, mirrored = paired_difference(both, b, c, neither), paired_difference(both, c, b, neither)
    difference = (c - b) / max(1, both + b + c + neither)
    assert -1 - 1e-9 <= interval.low <= difference + 1e-9
    assert difference - 1e-9 <= interval.high <= 1 + 1e-9
    assert interval.low == pytest.approx(-mirrored.high)


@given(st.lists(st.integers(-5, 5), max_size=9))
def test_signed_ranks_equal_count_of_all_signs(differences: list[int]) -> None:
    magnitudes = sorted(abs(each) for each in differences if each)
    ranks = [sum(other < each for other in magnitudes) + (magnitudes.count(each) + 1) / 2 for each in magnitudes]
    observed = sum(
        rank for rank, each in zip(ranks, sorted((e for e in differences if e), key=abs), strict=True) if each > 0
    )
    middle = sum(ranks) / 2
    sums = [sum(rank for rank, up in zip(ranks, ups, strict=True) if up) for ups in product((0, 1), repeat=len(ranks))]
    apart = sum(abs(each - middle) >= abs(observed - middle) for each in sums) / len(sums)
    assert signed_ranks(differences) == pytest.approx(min(1.0, apart))


def test_signed_ranks_match_published_table() -> None:
    assert signed_ranks([1, 2, 3, 4, 5]) == 2 / 32, "five of one sign are never below 5 %"
    assert signed_ranks([1, 2, 3, 4, 5, 6]) == 2 / 64
    assert signed_ranks([]) == signed_ranks([0.0, 0.0]) == 1.0


def test_normal_approximation_is_close_for_many_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [(-1) ** at * at + at // 6 for at in range(1, 60)]
    exact = signed_ranks(values)
    assert signed_ranks([*values, *([0.0] * 50)]) == exact, "zeros do not count"
    monkeypatch.setattr(prediction_comparison, "EXACT", 58)
    assert signed_ranks(values) == pytest.approx(exact, abs=0.01)
    assert signed_ranks(values) != exact


def test_comparison_matches_manual_count() -> None:
    first = {"a": [True], "b": [True], "c": [False], "d": [False], "only here": [True]}
    second = {"a": [True], "b": [False], "c": [True], "d": [False], "only there": [True]}
    comparison = compare(first, second, {"a": 1.0, "b": 2.0, "c": 3.0}, {"a": 0.5, "b": 1.0, "d": 9.0})
    assert (comparison.instances, comparison.both, comparison.b, comparison.c, comparison.neither) == (4, 1, 1, 1, 1)
    assert comparison.difference == 0.0
    assert comparison.only_first == ("b",)
    assert comparison.only_second == ("c",)
    assert comparison.means is None
    assert comparison.costs is not None
    assert (comparison.costs.pairs, comparison.costs.first, comparison.costs.second) == (2, 1.5, 0.75)
    assert comparison.costs.difference == -0.75
    assert comparison.costs.interval.low == -1.0
    assert comparison.costs.interval.high == -0.5


def test_repeats_are_compared_by_means() -> None:
    first = {"a": [True, False], "b": [False, False]}
    second = {"a": [True, True], "b": [False, True]}
    comparison = compare(first, second)
    assert comparison.p == 1.0
    assert comparison.means == 0.5
    assert comparison.means_interval is not None
    assert comparison.means_interval.low == comparison.means_interval.high == 0.5
    assert comparison.costs is None


def test_comparison_without_common_instances_is_neutral() -> None:
    comparison = compare({"a": [True]}, {"b": [True]})
    assert (comparison.instances, comparison.p, comparison.difference) == (0, 1.0, 0.0)
    assert (comparison.interval.low, comparison.interval.high) == (-1.0, 1.0)
