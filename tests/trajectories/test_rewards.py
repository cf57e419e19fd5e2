"""The published reward, compared with values computed by hand."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajectories.errors import UsageError
from trajectories.rewards import MISSING_ENTITY, UNFORMATTED, WRONG, rewards

groups = st.lists(st.integers(1, 10**15), min_size=1, max_size=12)


def test_constants_equal_published_values() -> None:
    assert (WRONG, MISSING_ENTITY, UNFORMATTED) == (0.0, -0.5, -1.5)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([], []),
        ([7], [1.0]),
        ([500, 500, 500], [1.0, 1.0, 1.0]),
        # ln 2 = 0.693: Smax = 1.693
        ([1000, 2000], [1 + math.log(2), 1.0]),
        # ln 1.1 = 0.0953: a small difference gains little
        ([1100, 1000], [1.0, 1.0953101798]),
        # ln 10 = 2.303 > 1: Smax = 2, and 100 * sqrt(10) is half way
        ([1000, 100, 316], [1.0, 2.0, 1 + math.log(1000 / 316) / math.log(10)]),
        # ln 100 = 4.605: 10,000 is worse by ln 10, so it gets half the reward
        ([100_000, 10_000, 1_000], [1.0, 1.5, 2.0]),
        ([8, 4, 2, 1], [1.0, 1 + 1 / 3, 1 + 2 / 3, 2.0]),
    ],
)
def test_rewards_equal_values_computed_by_hand(counts: list[int], expected: list[float]) -> None:
    assert rewards(counts) == pytest.approx(expected, abs=1e-9)


def test_largest_reward_is_reached_at_factor_of_e() -> None:
    assert max(rewards([1_000_000, round(1_000_000 * math.e)])) == pytest.approx(2.0, abs=1e-6)
    assert max(rewards([1_000_000, 2_700_000])) == pytest.approx(1.993252, abs=1e-6)


@pytest.mark.parametrize("counts", [[0], [5, -1]])
def test_invalid_instruction_count_is_refused(counts: list[int]) -> None:
    with pytest.raises(UsageError):
        rewards(counts)


@given(groups)
def test_rewards_are_within_bounds(counts: list[int]) -> None:
    results = rewards(counts)
    highest = min(2.0, 1 + math.log(max(counts)) - math.log(min(counts)))
    assert all(1.0 <= reward <= highest + 1e-12 <= 2.0 + 1e-12 for reward in results)
    assert min(results) == 1.0
    assert max(results) == pytest.approx(highest)


@given(groups)
def test_fewer_instructions_are_never_rewarded_less(counts: list[int]) -> None:
    ordered = [reward for _, reward in sorted(zip(counts, rewards(counts), strict=True))]
    assert ordered == sorted(ordered, reverse=True)


@pytest.mark.slow
@given(groups, st.randoms(use_true_random=False))
def test_order_of_candidates_does_not_matter(counts: list[int], rng: random.Random) -> None:
    order = list(range(len(counts)))
    rng.shuffle(order)
    results = rewards(counts)
    assert rewards([counts[position] for position in order]) == [results[position] for position in order]


@given(groups, st.data())
def test_cheaper_candidate_is_not_rewarded_less(counts: list[int], data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(counts) - 1))
    less = data.draw(st.integers(1, counts[position]))
    cheaper = [less if n == position else count for n, count in enumerate(counts)]
    if min(cheaper) == min(counts) and max(cheaper) == max(counts):  # otherwise the scale differs
        assert rewards(cheaper)[position] >= rewards(counts)[position]


@pytest.mark.slow
@given(groups, st.integers(2, 1000))
def test_constant_factor_in_counts_changes_no_reward(counts: list[int], times: int) -> None:
    assert rewards([count * times for count in counts]) == pytest.approx(rewards(counts), abs=1e-6)
