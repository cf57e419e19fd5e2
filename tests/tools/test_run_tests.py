from __future__ import annotations

import pytest

from tests.tools.conftest import Bench, MakeBench

TESTS = """\
import pytest
from calc import double

def test_good():
    assert double(2) == 4

def test_bad():
    expected = 7
    assert double(3) == expected

@pytest.mark.parametrize("n", range(10))
def test_many(n):
    raise ValueError("always")
"""


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    bench = make_bench(
        {"calc.py": "def double(x):\n    return 2 * x\n", "test_calc.py": TESTS, "test_ok.py": "def test(): pass\n"}
    )
    bench.test_command = "python -m pytest -p no:cacheprovider"
    return bench


def test_failures_as_a_digest(bench: Bench) -> None:
    seen = bench("run_tests")
    assert not seen.ok
    assert seen.text.splitlines()[0].startswith("11 failed, 2 passed in ")
    assert "FAILED test_calc.py::test_bad\n" in seen.text
    assert "assert 6 == 7" in seen.text
    assert seen.text.count("ValueError: always") == 1
    assert "… 4 more tests with this message" in seen.text
    assert seen.data["passed"] == 2
    assert "test_calc.py::test_bad" in seen.data["failed"]
    assert len(seen.text) < 2_000
    assert seen.out is not None
    assert b"11 failed" in bench.outputs[seen.out - 1]


def test_chosen_tests(bench: Bench) -> None:
    seen = bench("run_tests", nodes="test_calc.py::test_good")
    assert seen.ok
    assert seen.text.startswith("1 passed in ")
    assert seen.data == {"failed": [], "passed": 1, "counts": {"passed": 1}, "code": 0, "failures": []}
    assert "No such test: test_none.py" in bench("run_tests", nodes=["test_ok.py", "test_none.py"]).text
    hostile = bench("run_tests", nodes=["'; touch hacked; $(touch hacked)"])
    assert not hostile.ok
    assert "No such test: '; touch" in hostile.text
    assert not bench("view", path="hacked").ok


def test_other_commands_are_judged_by_their_exit_code(bench: Bench) -> None:
    seen = bench("run_tests", command="echo checking; exit 3")
    assert not seen.ok
    assert "exit code 3" in seen.text
    assert "checking" in seen.text


def test_a_suite_that_hangs_is_ended(bench: Bench) -> None:
    bench("edit", path="test_ok.py", old="pass", new="import time; time.sleep(60)")
    seen = bench("run_tests", nodes=["test_ok.py"], timeout=2)
    assert not seen.ok
    assert "timed out" in seen.text


def test_a_command_that_cannot_be_narrowed_says_so(bench: Bench) -> None:
    seen = bench("run_tests", nodes=["test_calc.py::test_good"], command="echo checking; exit 3")
    assert "cannot be narrowed" in seen.text
    assert "cannot be narrowed" not in bench("run_tests", nodes=["test_ok.py"]).text
    assert "cannot be narrowed" not in bench("run_tests", nodes=["nowhere.py"]).text
