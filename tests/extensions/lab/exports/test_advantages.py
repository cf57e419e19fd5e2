"""Advantages of rewards within a group."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.lab.exports.rloo import advantages
from trajectories.errors import UsageError


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1.0, 0.0], [1.0, -1.0]), ([2.0, 1.0, 0.0], [1.5, 0.0, -1.5]), ([1.0, 1.0], [0.0, 0.0])],
)
def test_advantages_equal_values_computed_by_hand(values: list[float], expected: list[float]) -> None:
    assert advantages(values) == pytest.approx(expected)


@given(st.lists(st.floats(-1.5, 2), min_size=2, max_size=12))
def test_advantages_of_group_add_up_to_zero(values: list[float]) -> None:
    assert math.fsum(advantages(values)) == pytest.approx(0, abs=1e-9)


def test_advantage_of_single_value_is_refused() -> None:
    with pytest.raises(UsageError):
        advantages([1.0])
