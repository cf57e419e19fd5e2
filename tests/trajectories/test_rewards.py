"""The published reward on cases computed by hand, and advantages over the others of a group."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajectories.errors import UsageError
from trajectories.rewards import MISSING_ENTITY, UNFORMATTED, WRONG, advantages, rewards

groups = st.lists(st.integers(1, 10**15), min_size=1, max_size=12)
earned = st.lists(st.floats(-1.5, 2), min_size=2, max_size=12)


def test_constants() -> None:
    assert (WRONG, MISSING_ENTITY, UNFORMATTED) == (0.0, -0.5, -1.5)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([], []),
        ([7], [1.0]),
        ([500, 500, 500], [1.0, 1.0, 1.0]),
        # ln 2 = 0.693: Smax = 1.693
        ([1000, 2000], [1 + math.log(2), 1.0]),
        # ln 1.1 = 0.0953: little to be told apart, little to be gained
        ([1100, 1000], [1.0, 1.0953101798]),
        # ln 10 = 2.303 > 1: Smax = 2, and 100 * sqrt(10) lies half way
        ([1000, 100, 316], [1.0, 2.0, 1 + math.log(1000 / 316) / math.log(10)]),
        # ln 100 = 4.605: 10,000 has lost ln 10 of it, one half
        ([100_000, 10_000, 1_000], [1.0, 1.5, 2.0]),
        ([8, 4, 2, 1], [1.0, 1 + 1 / 3, 1 + 2 / 3, 2.0]),
    ],
)
def test_rewards_by_hand(counts: list[int], expected: list[float]) -> None:
    assert rewards(counts) == pytest.approx(expected, abs=1e-9)


def test_smax_is_reached_at_factor_of_e() -> None:
    assert max(rewards([1_000_000, round(1_000_000 * math.e)])) == pytest.approx(2.0, abs=1e-6)
    assert max(rewards([1_000_000, 2_700_000])) == pytest.approx(1.993252, abs=1e-6)


@pytest.mark.parametrize("counts", [[0], [5, -1]])
def test_what_cannot_be_count_is_refused(counts: list[int]) -> None:
    with pytest.raises(UsageError):
        rewards(counts)


@given(groups)
def test_bounds(counts: list[int]) -> None:
    found = rewards(counts)
    highest = min(2.0, 1 + math.log(max(counts)) - math.log(min(counts)))
    assert all(1.0 <= reward <= highest + 1e-12 <= 2.0 + 1e-12 for reward in found)
    assert min(found) == 1.0
    assert max(found) == pytest.approx(highest)


@given(groups)
def test_fewer_instructions_are_never_rewarded_less(counts: list[int]) -> None:
    ordered = [reward for _, reward in sorted(zip(counts, rewards(counts), strict=True))]
    assert ordered == sorted(ordered, reverse=True)


@given(groups, st.randoms(use_true_random=False))
def test_order_given_does_not_matter(counts: list[int], dice: random.Random) -> None:
    places = list(range(len(counts)))
    dice.shuffle(places)
    found = rewards(counts)
    assert rewards([counts[place] for place in places]) == [found[place] for place in places]


@given(groups, st.data())
def test_candidate_that_gets_cheaper_gains(counts: list[int], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(counts) - 1))
    less = data.draw(st.integers(1, counts[place]))
    cheaper = [less if n == place else count for n, count in enumerate(counts)]
    if min(cheaper) == min(counts) and max(cheaper) == max(counts):  # else it is another scale
        assert rewards(cheaper)[place] >= rewards(counts)[place]


@given(groups, st.integers(2, 1000))
def test_machine_that_counts_all_so_many_times_changes_nothing(counts: list[int], times: int) -> None:
    assert rewards([count * times for count in counts]) == pytest.approx(rewards(counts), abs=1e-6)


# Advantages


@pytest.mark.parametrize(
    ("earned", "expected"),
    [([1.0, 0.0], [1.0, -1.0]), ([2.0, 1.0, 0.0], [1.5, 0.0, -1.5]), ([1.0, 1.0], [0.0, 0.0])],
)
def test_advantages_by_hand(earned: list[float], expected: list[float]) -> None:
    assert advantages(earned) == pytest.approx(expected)


@given(earned)
def test_group_gains_nothing_over_itself(earned: list[float]) -> None:
    assert math.fsum(advantages(earned)) == pytest.approx(0, abs=1e-9)


def test_alone_there_is_no_advantage() -> None:
    with pytest.raises(UsageError):
        advantages([1.0])


def test_rewards_go_by_their_public_address_too():
    from aci.performance import efficiency

    assert efficiency.rewards([100, 50]) == rewards([100, 50])
