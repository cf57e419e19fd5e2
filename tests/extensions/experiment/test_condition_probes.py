"""Values of conditions at the lines that tests reach, probed in a real suite."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.experiment.evaluator.candidate_evaluator import Evaluator
from extensions.experiment.evaluator.condition_probes import ConditionProber, ConditionTruth, is_pure
from extensions.experiment.evaluator.spectrum import trace_tests

LIBRARY = """\
class Box:
    def __init__(self, items):
        self.items = items

    def most(self, limit):
        best = None
        for item in self.items:
            if best is None or item > best:
                best = item
        return min(best, limit)


def never(n):
    return n
"""
TESTS = """\
from lib import Box


def test_none():
    assert Box([]).most(3) is None


def test_some():
    assert Box([1, 2]).most(3) == 2
"""
RED, GREEN = "test_lib.py::test_none", "test_lib.py::test_some"


@pytest.fixture
def prober(make_repo, open_ws) -> Iterator[ConditionProber]:
    workspace = open_ws("local", make_repo({"lib.py": LIBRARY, "test_lib.py": TESTS}))
    with Evaluator(workspace, "python -m pytest -q", [RED, GREEN], Event()) as evaluator:
        yield ConditionProber(evaluator, trace_tests(evaluator, [RED], [GREEN], 60))


@pytest.mark.slow
def test_conditions_have_values_in_failing_and_passing_tests(prober: ConditionProber) -> None:
    texts = ["best is None", "not self.items", "limit > 5", "best > limit", "len(self.items) == 0", "unknown"]
    truths = prober.truths("lib.py", 10, texts)
    assert truths["best is None"] == ConditionTruth("1", "0")
    assert truths["best > limit"] == ConditionTruth("!", "0")
    assert truths["unknown"] == ConditionTruth("!", "!")
    assert truths["limit > 5"] == ConditionTruth("0", "0")
    assert truths["not self.items"].digest == truths["len(self.items) == 0"].digest != truths["limit > 5"].digest


@pytest.mark.slow
def test_every_visit_of_line_is_recorded(prober: ConditionProber) -> None:
    assert prober.truths("lib.py", 8, ["item > 1"]) == {}, "the failing test does not reach this line"
    assert prober.truths("lib.py", 7, ["best is None", "best == 1"])["best == 1"] == ConditionTruth("0", "010")


@pytest.mark.slow
def test_known_conditions_are_not_probed_again(prober: ConditionProber) -> None:
    first = prober.truths("lib.py", 10, ["best is None"])
    cpu_before = prober.evaluator.cpu
    assert prober.truths("lib.py", 10, ["best is None", "self.items.clear()"]) == first
    assert prober.evaluator.cpu == cpu_before


@pytest.mark.slow
def test_unreached_line_has_no_values(prober: ConditionProber) -> None:
    assert prober.truths("lib.py", 14, ["n"]) == {}
    assert prober.truths("gone.py", 1, ["n"]) == {}


@pytest.mark.parametrize(
    "text",
    ["f()", "x.pop()", "(x := 1)", "[y for y in x]", "lambda: 1", "f'{x!r}'", "await x", "x =", "len(*x())", "{}"],
)
def test_expression_with_side_effects_is_not_pure(text: str) -> None:
    assert not is_pure(text)


@given(
    st.sampled_from(["len(x) == 0", "isinstance(x, (int, str))", "not x", "a.b[1:] is None", "x in (1, 2)", "-x < 3"])
)
def test_plain_conditions_are_pure(text: str) -> None:
    assert is_pure(text)
    assert is_pure(f"({text}) and ({text})")
    assert not is_pure(f"({text}) and f()")
