"""Suspiciousness of lines, computed from the lines that failing and passing tests run."""

from __future__ import annotations

import math
from threading import Event
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.testing.suite_command import detect_command
from extensions.experiment.evaluator.candidate_evaluator import Evaluator
from extensions.experiment.evaluator.spectrum import Spectrum, dstar, ochiai, sort_by_name_overlap, trace_tests

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


def test_ochiai_and_dstar_match_manual_calculation() -> None:
    failing, passing = [{1, 2}, {1, 3}], [{1}, {3}]
    assert ochiai(failing, passing) == {
        1: pytest.approx(2 / math.sqrt(2 * 3)),
        2: pytest.approx(1 / math.sqrt(2 * 1)),
        3: pytest.approx(1 / math.sqrt(2 * 2)),
    }
    stars = {1: 4 / 1, 2: 1 / 1, 3: 1 / 2}
    assert dstar(failing, passing) == {event: pytest.approx(star / (1 + star)) for event, star in stars.items()}


@pytest.mark.slow
@given(st.lists(st.sets(st.integers(1, 9)), max_size=5), st.lists(st.sets(st.integers(1, 9)), max_size=5))
def test_only_events_of_failing_tests_are_suspicious(failing: list[set[int]], passing: list[set[int]]) -> None:
    for formula in (ochiai, dstar):
        scores = formula(failing, passing)
        assert set(scores) == set().union(*failing)
        assert all(0 < score <= 1 + 1e-9 for score in scores.values())


@given(st.sets(st.integers(1, 9), min_size=1), st.lists(st.sets(st.integers(1, 9)), max_size=5))
def test_more_passing_tests_make_no_event_more_suspicious(failing: set[int], passing: list[set[int]]) -> None:
    for formula in (ochiai, dstar):
        without = formula([failing], passing[1:])
        assert all(score <= without[event] for event, score in formula([failing], passing).items())


def test_passing_tests_near_failing_test_come_first() -> None:
    passing = ["b/test_b.py::x", "a/test_a.py::one", "a/test_c.py::y", "a/test_a.py::two"]
    assert sort_by_name_overlap(["a/test_a.py::bad"], passing) == [
        "a/test_a.py::one",
        "a/test_a.py::two",
        "a/test_c.py::y",
        "b/test_b.py::x",
    ]


COUNTER = """\
class Counter:
    def __init__(self, start):
        self.total = start

    def add(self, amounts):
        for amount in amounts:
            if amount is None:
                continue
            self.total += amount
        return self.total

    def names(self):
        yield "a"
        yield "b"
"""
COUNTED = """\
from counter import Counter


def test_red():
    assert Counter(1).add([2, None]) == 4


def test_green():
    assert Counter(1).add(()) == 1
    assert list(Counter(0).names()) == ["a", "b"]
"""


def trace(workspace, failing: list[str], passing: list[str], command: str = "python -m pytest -q") -> Spectrum:
    with Evaluator(workspace, command, [*failing, *passing], Event()) as evaluator:
        return trace_tests(evaluator, failing, passing, 60)


@pytest.mark.slow
def test_spectrum_of_real_suite_points_at_faulty_line(make_repo, open_ws) -> None:
    workspace = open_ws("local", make_repo({"lib.py": LIBRARY, "test_lib.py": TESTS}))
    tests = [f"test_lib.py::test_{name}" for name in ("positive", "zero", "skipped")]
    failing = ["test_lib.py::test_negative", "test_lib.py::test_elsewhere", "gone"]
    spectrum = trace(workspace, failing, tests)
    (negative,) = spectrum.failing
    assert negative.test == "test_lib.py::test_negative"
    assert negative.said.startswith("AssertionError: ")
    assert negative.trail == (("test_lib.py", 9),)
    assert negative.raised == ()
    assert [one.test for one in spectrum.passing] == tests[:2]
    assert {path for path, _ in spectrum.suspicion} == {"lib.py"}
    assert next(iter(spectrum.suspicion)) == ("lib.py", 5)
    assert ("lib.py", 3) not in spectrum.suspicion
    assert set(negative.stepped()) == {("lib.py", step) for step in ((-1, 2), (2, 4), (4, 5), (5, 8), (8, 0))}


@pytest.mark.slow
def test_project_of_failing_test_is_traced_in_repository_of_several_projects(make_repo, open_ws) -> None:
    project = {"setup.cfg": "[tool:pytest]\n", "lib.py": LIBRARY, "test_lib.py": TESTS}
    files = {f"{folder}/{name}": text for folder in ("a", "b") for name, text in project.items()}
    workspace = open_ws("local", make_repo(files))
    passing = [f"{folder}/test_lib.py::test_{name}" for folder in ("a", "b") for name in ("positive", "zero")]
    spectrum = trace(workspace, ["b/test_lib.py::test_negative"], passing, detect_command(workspace))
    assert [one.test for one in (*spectrum.failing, *spectrum.passing)] == [
        "b/test_lib.py::test_negative",
        *passing[2:],
    ]
    assert next(iter(spectrum.suspicion)) == ("b/lib.py", 5)


@pytest.mark.slow
def test_types_and_order_of_steps_are_recorded(make_repo, open_ws) -> None:
    workspace = open_ws("local", make_repo({"counter.py": COUNTER, "test_counter.py": COUNTED}))
    spectrum = trace(workspace, ["test_counter.py::test_red"], ["test_counter.py::test_green"])
    in_add = spectrum.types[("counter.py", 5)]
    assert in_add["amount"] == {"int", "NoneType"}
    assert in_add["amounts"] == {"list", "tuple"}
    assert in_add["self.total"] == {"int"}
    (red,) = spectrum.failing
    own = [(frame, line) for frame, path, line in red.flow if path == "counter.py"]
    assert [line for _, line in own] == [3, 6, 7, 9, 6, 7, 8, 6, 10]
    init, add = dict.fromkeys(frame for frame, _ in own)
    assert red.calls[init] == red.calls[add] != 0
    (green,) = spectrum.passing
    assert not green.flow
    assert not {14, 15} & green.lines["counter.py"]


BUSY = """\
import os
import signal
import time


def work(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        for _ in range(10000):
            pass
    return 1


def in_the_kernel(seconds):
    end = time.process_time() + seconds
    with open("/dev/zero", "rb", buffering=0) as zeros:
        while time.process_time() < end:
            zeros.read(1 << 20)
    return 1


def uninterrupted(seconds):
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPROF})
    return work(seconds)
"""
BUSY_TESTS = """\
from lib import in_the_kernel, uninterrupted, work


def test_slow():
    assert work(0.6) == 2


def test_slow_too():
    assert work(0.5) == 2


def test_long_in_c():
    assert uninterrupted(0.9) == 2


def test_hangs():
    assert work(30) == 2


def test_hangs_in_the_kernel():
    assert in_the_kernel(30) == 2
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tests", "outcome"),
    [(["slow", "slow_too"], "failed"), (["long_in_c"], "failed"), (["hangs", "hangs_in_the_kernel"], "timeout")],
)
def test_slow_test_is_not_reported_as_hanging(tests, outcome, make_repo, open_ws) -> None:
    workspace = open_ws("local", make_repo({"lib.py": BUSY, "test_lib.py": BUSY_TESTS}))
    spectrum = trace(workspace, [f"test_lib.py::test_{test}" for test in tests], [])
    assert [one.outcome for one in spectrum.failing] == [outcome] * len(tests)


@pytest.mark.parametrize(
    "malformed",
    [{}, {"test": "t"}, {"outcome": 1, "lines": []}, {"lines": {"a": ["x"]}}, {"raised": [["a"]]}, {"types": [[1]]}],
)
def test_malformed_answers_are_skipped(malformed) -> None:
    good = {"test": "t", "outcome": "failed", "seconds": 0.1, "lines": {"a.py": [1]}, "raised": []}

    class FakeEvaluator:
        """An evaluator whose target's tests write to the stream of answers."""

        def ask(self, job, seconds):
            return [good | {"test": "u"}, (good | malformed) if malformed else {}]

    spectrum = trace_tests(cast("Evaluator", FakeEvaluator()), ["t", "u"], [], 1)
    assert {"u"} <= {one.test for one in spectrum.failing} <= {"t", "u"}
