"""Paired comparisons, against published figures, against counting by hand, and for any."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.evaluation import prediction_comparison
from agent.evaluation.prediction_comparison import compare, mcnemar, paired_difference, signed_ranks

COUNTS = st.integers(0, 40)


def test_mcnemar_as_published() -> None:
    # Fagerland, Lydersen, Laake, Statistics in Medicine 33 (2014) 2850-2875: 7 against 1 pairs.
    assert mcnemar(1, 7) == pytest.approx(0.0703, abs=5e-5)
    assert mcnemar(7, 1) == mcnemar(1, 7)
    assert mcnemar(0, 0) == mcnemar(3, 3) == 1.0
    assert mcnemar(0, 6) == pytest.approx(2 / 64)
    assert 0 < mcnemar(700, 900) < 1e-6, "large counts stay exact"


@given(st.integers(0, 10), st.integers(0, 10))
def test_mcnemar_counts_coins(b: int, c: int) -> None:
    flips = b + c
    heads = [sum(coins) for coins in product((0, 1), repeat=flips)] if flips <= 12 else []
    if heads:
        apart = sum(abs(2 * each - flips) >= abs(b - c) for each in heads) / len(heads)
        assert mcnemar(b, c) == pytest.approx(apart)


def test_interval_of_paired_difference_as_published() -> None:
    # The same pairs: 1 both, 1 and 7 apart, 12 neither; Newcombe's interval is -0.507 to -0.026.
    found = paired_difference(both=1, b=7, c=1, neither=12)
    assert (round(found.low, 3), round(found.high, 3)) == (-0.507, -0.026)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_interval_holds_its_difference_and_turns_with_it(both: int, b: int, c: int, neither: int) -> None:
    found, turned = paired_difference(both, b, c, neither), paired_difference(both, c, b, neither)
    difference = (c - b) / max(1, both + b + c + neither)
    assert -1 - 1e-9 <= found.low <= difference + 1e-9
    assert difference - 1e-9 <= found.high <= 1 + 1e-9
    assert found.low == pytest.approx(-turned.high)


@given(st.lists(st.integers(-5, 5), max_size=9))
def test_signed_ranks_count_all_signs(differences: list[int]) -> None:
    moved = sorted(abs(each) for each in differences if each)
    ranks = [sum(other < each for other in moved) + (moved.count(each) + 1) / 2 for each in moved]
    found = sum(
        rank for rank, each in zip(ranks, sorted((e for e in differences if e), key=abs), strict=True) if each > 0
    )
    middle = sum(ranks) / 2
    sums = [sum(rank for rank, up in zip(ranks, ups, strict=True) if up) for ups in product((0, 1), repeat=len(ranks))]
    apart = sum(abs(each - middle) >= abs(found - middle) for each in sums) / len(sums)
    assert signed_ranks(differences) == pytest.approx(min(1.0, apart))


def test_signed_ranks_as_tabled() -> None:
    assert signed_ranks([1, 2, 3, 4, 5]) == 2 / 32, "five of one sign are never below 5 %"
    assert signed_ranks([1, 2, 3, 4, 5, 6]) == 2 / 64
    assert signed_ranks([]) == signed_ranks([0.0, 0.0]) == 1.0


def test_many_differences_are_judged_by_normal_distribution_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [(-1) ** at * at + at // 6 for at in range(1, 60)]
    exact = signed_ranks(values)
    assert signed_ranks([*values, *([0.0] * 50)]) == exact, "zeros do not count"
    monkeypatch.setattr(prediction_comparison, "EXACT", 58)
    assert signed_ranks(values) == pytest.approx(exact, abs=0.01)
    assert signed_ranks(values) != exact


def test_comparison_by_hand() -> None:
    first = {"a": [True], "b": [True], "c": [False], "d": [False], "only here": [True]}
    second = {"a": [True], "b": [False], "c": [True], "d": [False], "only there": [True]}
    found = compare(first, second, {"a": 1.0, "b": 2.0, "c": 3.0}, {"a": 0.5, "b": 1.0, "d": 9.0})
    assert (found.instances, found.both, found.b, found.c, found.neither) == (4, 1, 1, 1, 1)
    assert found.difference == 0.0
    assert found.only_first == ("b",)
    assert found.only_second == ("c",)
    assert found.means is None
    assert found.costs is not None
    assert (found.costs.pairs, found.costs.first, found.costs.second) == (2, 1.5, 0.75)
    assert found.costs.difference == -0.75
    assert found.costs.interval.low == -1.0
    assert found.costs.interval.high == -0.5


def test_repeats_are_compared_by_their_means() -> None:
    first = {"a": [True, False], "b": [False, False]}
    second = {"a": [True, True], "b": [False, True]}
    found = compare(first, second)
    assert found.p == 1.0
    assert found.means == 0.5
    assert found.means_interval is not None
    assert found.means_interval.low == found.means_interval.high == 0.5
    assert found.costs is None


def test_nothing_in_common_says_nothing() -> None:
    found = compare({"a": [True]}, {"b": [True]})
    assert (found.instances, found.p, found.difference) == (0, 1.0, 0.0)
    assert (found.interval.low, found.interval.high) == (-1.0, 1.0)
