from __future__ import annotations

import pytest

from tests.tools.conftest import Bench, MakeBench
from tools.run_tests import recall_names
from trajectories.trees import Trees

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


def test_failures_as_digest(bench: Bench) -> None:
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


@pytest.mark.slow
def test_chosen_tests(bench: Bench) -> None:
    seen = bench("run_tests", nodes="test_calc.py::test_good")
    assert seen.ok
    assert seen.text.startswith("1 passed in ")
    assert seen.data == {
        "failed": [],
        "passed": 1,
        "counts": {"passed": 1},
        "code": 0,
        "granularity": "test",
        "failures": [],
        "complete": True,
        "tree": bench.tree,
        "passing": len(bench.outputs),
    }
    assert recall_names(bench.outputs[-1]) == ["test_calc.py::test_good"]
    none = bench("run_tests", nodes=["test_none.py"])
    assert not none.ok
    assert none.text.splitlines()[1:] == ["No such test: test_none.py"]
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


@pytest.mark.slow
def test_suite_that_hangs_is_ended(bench: Bench) -> None:
    bench("edit", path="test_ok.py", old="pass", new="import time; time.sleep(60)")
    seen = bench("run_tests", nodes=["test_ok.py"], timeout=2)
    assert not seen.ok
    assert "timed out" in seen.text or "ran too long" in seen.text, "its own second ends first on a quick machine"


def test_command_that_cannot_be_narrowed_says_so(bench: Bench) -> None:
    seen = bench("run_tests", nodes=["test_calc.py::test_good"], command="echo checking; exit 3")
    assert "cannot be narrowed" in seen.text
    assert "cannot be narrowed" not in bench("run_tests", nodes=["test_ok.py"]).text
    assert "cannot be narrowed" not in bench("run_tests", nodes=["nowhere.py"]).text


def test_what_is_told_whole_has_no_address(bench: Bench) -> None:
    bench("edit", path="test_one.py", old="", new="def test_it():\n    assert 1 == 2\n")
    seen = bench("run_tests", nodes=["test_one.py"])
    assert seen.out is None
    assert seen.text.splitlines()[1:] == [
        "FAILED test_one.py::test_it",
        "  at test_one.py:2:test_it",
        "  assert 1 == 2",
    ]
    bench("edit", path="test_one.py", old="    assert", new="    print('see here')\n    assert")
    seen = bench("run_tests", nodes=["test_one.py"])
    assert seen.out is not None
    assert b"see here" in bench.outputs[seen.out - 1]


def test_all_failures_are_kept_for_strategies(bench: Bench) -> None:
    many = "import pytest\n\n@pytest.mark.parametrize('n', range(40))\ndef test_it(n):\n    assert n < 0, 'x' * 5000\n"
    bench("edit", path="test_one.py", old="", new=many)
    failures = bench("run_tests", nodes=["test_one.py"]).data["failures"]
    assert len(failures) == 40
    assert {(each["path"], each["error"], each["at"]) for each in failures} == {
        ("test_one.py", "AssertionError", "test_one.py")
    }
    assert sum(len(each["message"]) for each in failures) < 20_000


@pytest.mark.slow
def test_what_failed_before_is_told_apart(bench: Bench) -> None:
    bench("run_tests")
    new = "from calc import double\n\ndef test_issue():\n    assert double(1) == 3\n"
    bench("edit", path="test_new.py", new=new)
    assert "Already failed" not in bench("run_tests", nodes=["test_new.py"]).text
    bench("edit", path="calc.py", old="2 * x", new="2 + x")
    seen = bench("run_tests")
    assert "Already failed before the source was changed: test_calc.py::test_many[0]" in seen.text
    assert "ValueError: always" not in seen.text
    assert "FAILED test_new.py::test_issue" not in seen.text.partition("Already failed")[0]
    assert "FAILED test_calc.py::test_bad" in seen.text, "it fails by another error now"
    assert len(seen.data["failed"]) == 11
    named = bench("run_tests", nodes=["test_calc.py::test_many"])
    assert "FAILED test_calc.py::test_many[0]" in named.text


@pytest.mark.slow
def test_git_is_asked_once_what_changed_in_tree(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []
    changed = Trees.changed
    monkeypatch.setattr(Trees, "changed", lambda trees, *pair: asked.append(pair) or changed(trees, *pair))
    for number in range(3):
        bench("edit", path=f"test_new{number}.py", old="", new="def test_it(): assert 0\n")
        bench("run_tests")
    told = bench("run_tests").text
    pairs = [pair for pair in asked if pair[0] == bench.base.tree]
    assert len(pairs) == len(set(pairs)) == 3
    assert "Already failed before the source was changed: " in told
    assert "test_new2.py" in told


@pytest.mark.slow
def test_run_that_takes_too_long_says_what_to_do(make_bench: MakeBench) -> None:
    slow = "import time, signal\ndef test_a():\n    signal.alarm(0)\n    time.sleep(60)\n"
    bench = make_bench({"test_a.py": slow, "conftest.py": "import signal\nsignal.signal(14, signal.SIG_IGN)\n"})
    seen = bench("run_tests", command="python -m pytest -q", timeout=4)
    assert "set a timeout of up to 3600 s" in seen.text
