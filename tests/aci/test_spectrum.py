"""Which lines are suspected, from what ran in failing and passing tests."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.candidates import Evaluator
from aci.spectrum import Observed, nearest, observe, ochiai

LIBRARY = """\
def classify(n):
    if n > 0:
        kind = "positive"
    elif n < 0:
        kind = "positive"
    else:
        kind = "zero"
    return kind
"""
TESTS = """\
from lib import classify


def test_positive():
    assert classify(1) == "positive"


def test_negative():
    assert classify(-1) == "negative"


def test_zero():
    assert classify(0) == "zero"


def test_elsewhere():
    raise ConnectionError("no network")


def test_skipped():
    import pytest

    pytest.skip("not here")
"""


def seen(outcome: str, *lines: int, raised: int = 0) -> Observed:
    places = (("a.py", raised),) if raised else ()
    return Observed("t", outcome, 0.0, {"a.py": frozenset(lines), "tests/test_a.py": frozenset({1})}, places)


def test_ochiai_by_hand() -> None:
    scores = ochiai([seen("failed", 1, 2), seen("failed", 1, 3)], [seen("passed", 1), seen("passed", 3)])
    assert scores[("a.py", 2)] == pytest.approx(1 / math.sqrt(2))
    assert scores[("a.py", 1)] == pytest.approx(2 / math.sqrt(2 * 3))
    assert scores[("a.py", 3)] == pytest.approx(1 / math.sqrt(2 * 2))
    assert all(path == "a.py" for path, _ in scores)


def test_where_a_failing_test_raised_counts_more() -> None:
    scores = ochiai([seen("failed", 1, 2, raised=2)], [])
    assert list(scores) == [("a.py", 2), ("a.py", 1)]


@given(st.lists(st.sets(st.integers(1, 9)), max_size=5), st.lists(st.sets(st.integers(1, 9)), max_size=5))
def test_only_lines_of_failing_tests_are_suspected(failing: list[set[int]], passing: list[set[int]]) -> None:
    scores = ochiai([seen("failed", *one) for one in failing], [seen("passed", *one) for one in passing])
    assert {line for _, line in scores} == set().union(*failing)
    assert all(0 < score <= 1 + 1e-9 for score in scores.values())
    assert list(scores.values()) == sorted(scores.values(), reverse=True)


def test_passing_tests_near_a_failing_one_come_first_in_their_order() -> None:
    passing = ["b/test_b.py::x", "a/test_a.py::one", "a/test_c.py::y", "a/test_a.py::two"]
    assert nearest(["a/test_a.py::bad"], passing) == [
        "a/test_a.py::one",
        "a/test_a.py::two",
        "a/test_c.py::y",
        "b/test_b.py::x",
    ]


def test_a_real_suite(make_repo, open_ws) -> None:
    workspace = open_ws("local", make_repo({"lib.py": LIBRARY, "test_lib.py": TESTS}))
    tests = [f"test_lib.py::test_{name}" for name in ("positive", "zero", "skipped")]
    failing = ["test_lib.py::test_negative", "test_lib.py::test_elsewhere", "gone"]
    spectrum = observe(Evaluator(workspace, "python -m pytest -q"), failing, tests, 60)
    assert [one.test for one in spectrum.failing] == ["test_lib.py::test_negative"]
    assert [one.test for one in spectrum.passing] == tests[:2]
    assert spectrum.paths == ["lib.py"]
    assert next(iter(spectrum.suspicion)) == ("lib.py", 5)
    assert ("lib.py", 3) not in spectrum.suspicion
