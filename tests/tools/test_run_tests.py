from __future__ import annotations

import pytest

from tests.tools.conftest import Bench, MakeBench
from tools.run_tests import recall_names
from trajectories.git_store.trees import Trees

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


@pytest.mark.slow
def test_failures_are_summarised(bench: Bench) -> None:
    observation = bench("run_tests")
    assert not observation.ok
    assert observation.text.splitlines()[0].startswith("11 failed, 2 passed in ")
    assert "FAILED test_calc.py::test_bad\n" in observation.text
    assert "assert 6 == 7" in observation.text
    assert observation.text.count("ValueError: always") == 1
    assert "… 4 more tests with this message" in observation.text
    assert observation.data["passed"] == 2
    assert "test_calc.py::test_bad" in observation.data["failed"]
    assert len(observation.text) < 2_000
    assert observation.out is not None
    assert b"11 failed" in bench.outputs[observation.out - 1]


@pytest.mark.slow
def test_only_requested_tests_are_run(bench: Bench) -> None:
    observation = bench("run_tests", nodes="test_calc.py::test_good")
    assert observation.ok
    assert observation.text.startswith("1 passed in ")
    assert 0 < observation.data["seconds"] < 300
    assert {**observation.data, "seconds": 0} == {
        "failed": [],
        "passed": 1,
        "counts": {"passed": 1},
        "code": 0,
        "seconds": 0,
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


def test_command_without_test_results_is_judged_by_exit_code(bench: Bench) -> None:
    observation = bench("run_tests", command="echo checking; exit 3")
    assert not observation.ok
    assert "exit code 3" in observation.text
    assert "checking" in observation.text


@pytest.mark.slow
def test_hanging_suite_is_ended(bench: Bench) -> None:
    bench("edit", path="test_ok.py", old="pass", new="import time; time.sleep(60)")
    observation = bench("run_tests", nodes=["test_ok.py"], timeout=2)
    assert not observation.ok
    assert "timed out" in observation.text or "ran too long" in observation.text, (
        "on a fast machine, the limit of the test ends it"
    )


@pytest.mark.slow
def test_command_that_cannot_be_narrowed_is_reported(bench: Bench) -> None:
    observation = bench("run_tests", nodes=["test_calc.py::test_good"], command="echo checking; exit 3")
    assert "cannot be narrowed" in observation.text
    assert "cannot be narrowed" not in bench("run_tests", nodes=["test_ok.py"]).text
    assert "cannot be narrowed" not in bench("run_tests", nodes=["nowhere.py"]).text


@pytest.mark.slow
def test_complete_report_has_no_output_address(bench: Bench) -> None:
    bench("edit", path="test_one.py", old="", new="def test_it():\n    assert 1 == 2\n")
    observation = bench("run_tests", nodes=["test_one.py"])
    assert observation.out is None
    assert observation.text.splitlines()[1:] == [
        "FAILED test_one.py::test_it",
        "  at test_one.py:2:test_it",
        "  assert 1 == 2",
    ]
    bench("edit", path="test_one.py", old="    assert", new="    print('see here')\n    assert")
    observation = bench("run_tests", nodes=["test_one.py"])
    assert observation.out is not None
    assert b"see here" in bench.outputs[observation.out - 1]


@pytest.mark.slow
def test_data_has_all_failures(bench: Bench) -> None:
    many = "import pytest\n\n@pytest.mark.parametrize('n', range(40))\ndef test_it(n):\n    assert n < 0, 'x' * 5000\n"
    bench("edit", path="test_one.py", old="", new=many)
    failures = bench("run_tests", nodes=["test_one.py"]).data["failures"]
    assert len(failures) == 40
    assert {(failure["path"], failure["error"], failure["at"]) for failure in failures} == {
        ("test_one.py", "AssertionError", "test_one.py")
    }
    assert sum(len(failure["message"]) for failure in failures) < 20_000


@pytest.mark.slow
def test_earlier_failures_are_listed_separately(bench: Bench) -> None:
    bench("run_tests")
    new = "from calc import double\n\ndef test_issue():\n    assert double(1) == 3\n"
    bench("edit", path="test_new.py", new=new)
    assert "Already failed" not in bench("run_tests", nodes=["test_new.py"]).text
    bench("edit", path="calc.py", old="2 * x", new="2 + x")
    observation = bench("run_tests")
    assert "Already failed before the source was changed: test_calc.py::test_many[0]" in observation.text
    assert "ValueError: always" not in observation.text
    assert "FAILED test_new.py::test_issue" not in observation.text.partition("Already failed")[0]
    assert "FAILED test_calc.py::test_bad" in observation.text, "it now fails with another error"
    assert len(observation.data["failed"]) == 11
    named = bench("run_tests", nodes=["test_calc.py::test_many"])
    assert "FAILED test_calc.py::test_many[0]" in named.text


@pytest.mark.slow
def test_changes_of_each_tree_are_computed_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, str]] = []
    changed = Trees.changed
    monkeypatch.setattr(Trees, "changed", lambda trees, *pair: calls.append(pair) or changed(trees, *pair))
    for number in range(3):
        bench("edit", path=f"test_new{number}.py", old="", new="def test_it(): assert 0\n")
        bench("run_tests")
    text = bench("run_tests").text
    pairs = [pair for pair in calls if pair[0] == bench.base.tree]
    assert len(pairs) == len(set(pairs)) == 3
    assert "Already failed before the source was changed: " in text
    assert "test_new2.py" in text


@pytest.mark.slow
def test_timed_out_run_suggests_longer_timeout(make_bench: MakeBench) -> None:
    slow = "import time, signal\ndef test_a():\n    signal.alarm(0)\n    time.sleep(60)\n"
    bench = make_bench({"test_a.py": slow, "conftest.py": "import signal\nsignal.signal(14, signal.SIG_IGN)\n"})
    observation = bench("run_tests", command="python -m pytest -q", timeout=4)
    assert "set a timeout of up to 3600 s" in observation.text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("files", "cause"),
    [
        ({"pytest.ini": "[pytest]\nminversion = 99.0\n"}, "'minversion' requires pytest-99.0"),
        ({"conftest.py": "import nothere\n"}, "No module named 'nothere'"),
        ({"conftest.py": "pytest_plugins = ['nothere']\n"}, "No module named 'nothere'"),
        ({"pytest.ini": "[pytest]\nrequired_plugins = pytest-nothere\n"}, "Missing required plugins: pytest-nothere"),
    ],
)
def test_runner_that_ends_before_collection_is_reported_as_that(
    make_bench: MakeBench, files: dict[str, str], cause: str
) -> None:
    bench = make_bench({"test_ok.py": "def test(): pass\n", **files})
    bench.test_command = "python -m pytest -p no:cacheprovider"
    observation = bench("run_tests", nodes=["test_ok.py::test"])
    assert "The runner stopped before it had collected any test." in observation.text
    assert cause in observation.text
    assert "No such test" not in observation.text
    assert "narrowed" not in observation.text
    assert len(observation.text) < 1_600
