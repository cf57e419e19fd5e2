"""Patches that print the results that they should earn do not resolve an instance graded by its log."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from aci.testing.suite_results import SuiteReport, TestResult
from extensions.lab.evaluation import instance_grading
from extensions.lab.evaluation.expected_results import unconfirmed
from extensions.lab.evaluation.grading_specs import GradingSpec
from tests.conftest import MakeRepo
from tests.extensions.lab.evaluation.test_instance_grading import CODE, FAILING, PASSING, RIGHT, TESTS, GradingCase

NAMES = (*FAILING, *PASSING)
LINES = "".join(f"\\nPASSED {name}" for name in NAMES) + "\\n"
PRINT = f"import os, sys; os.write(1, b'{LINES}')\n"
LATE = "import atexit\natexit.register(lambda: exec(" + repr(PRINT) + "))\n"
FILTER = (
    "import os, subprocess\n"
    "child = subprocess.Popen(['sed', '-u', 's/FAILED/PASSED/; s/ - .*//'], stdin=subprocess.PIPE)\n"
    "os.dup2(child.stdin.fileno(), 1)\n"
)
FORGERIES = {
    "printed, then ended": PRINT + "os._exit(0)\n" + CODE,
    "printed, then ended with a failure": PRINT + "os._exit(1)\n" + CODE,
    "printed, then exit": PRINT + "raise SystemExit(0)\n" + CODE,
    "printed at the end": LATE + CODE,
    "printed at the end, to the error stream": LATE.replace("os.write(1", "os.write(2") + CODE,
    "printed when the function is called": CODE.replace("    return a - b", f"    {PRINT.strip()}; os._exit(0)"),
    "killed after printing": PRINT + "import signal\nos.kill(os.getpid(), signal.SIGKILL)\n" + CODE,
    "replaced process": PRINT + "os.execvp('true', ['true'])\n" + CODE,
    "rewritten on the way": FILTER + CODE,
}


def read(log: str) -> dict[str, bool]:
    """Parse a log as SWE-bench's parser for pytest does."""
    found = re.findall(r"^(PASSED|FAILED|ERROR) (\S+)", log, re.MULTILINE)
    return {name: status == "PASSED" for status, name in found}


@pytest.fixture
def case(make_repo: MakeRepo, monkeypatch: pytest.MonkeyPatch) -> GradingCase:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    way = GradingSpec(command="python -m pytest -rA -s tests/test_calc.py", read=read)
    monkeypatch.setattr(instance_grading, "grading_spec", lambda *_: way)
    return GradingCase(make_repo({"calc.py": CODE, "tests/test_calc.py": TESTS, "conftest.py": ""}), "local")


@pytest.mark.slow
def test_gold_and_honest_failure_are_graded_by_the_log(case: GradingCase) -> None:
    gold, base = case.grade(case.gold.patch), case.grade("")
    assert (gold.resolved, gold.f2p_ok, gold.p2p_ok) == (True, FAILING, PASSING)
    assert (base.resolved, base.f2p_failed, base.p2p_ok) == (False, FAILING, PASSING)
    assert not gold.error


@pytest.mark.slow
@pytest.mark.parametrize("form", FORGERIES)
def test_forged_output_does_not_count(case: GradingCase, form: str) -> None:
    forged = case.grade(case.diff({"calc.py": FORGERIES[form]}))
    assert not forged.resolved
    assert all(read(forged.log).get(name) for name in FAILING), "the log alone would count"


@pytest.mark.slow
def test_runner_that_the_patch_replaces_does_not_count(make_repo: MakeRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    way = GradingSpec(command="python -m pytest -rf tests/test_calc.py", read=read, fail_only=True)
    monkeypatch.setattr(instance_grading, "grading_spec", lambda *_: way)
    case = GradingCase(make_repo({"calc.py": CODE, "tests/test_calc.py": TESTS}), "local")
    assert not case.grade(case.diff({"pytest.py": "print('1 passing')\n"})).resolved


RUNNER = "import calc, sys, pytest\nsys.exit(pytest.main(['-rA', 'tests/test_calc.py']))\n"


@pytest.mark.slow
@pytest.mark.parametrize("reader", [read, None])
def test_forged_output_before_the_test_runner_starts_does_not_count(
    make_repo: MakeRepo, monkeypatch: pytest.MonkeyPatch, reader
) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    way = GradingSpec(command="python run.py", read=reader)
    monkeypatch.setattr(instance_grading, "grading_spec", lambda *_: way)
    case = GradingCase(make_repo({"calc.py": CODE, "tests/test_calc.py": TESTS, "run.py": RUNNER}), "local")
    forged = case.grade(case.diff({"calc.py": PRINT + "os._exit(0)\n" + CODE}))
    assert "PASSED" in forged.log
    assert not forged.resolved
    assert case.grade(case.gold.patch).resolved


@pytest.mark.slow
@pytest.mark.parametrize(
    ("printed", "resolved"), [("2 passing", True), ("0 passing", False), ("Executed 1 of 9 (1 skipped)", False)]
)
def test_test_that_is_not_named_has_passed_only_if_tests_ran(
    make_repo: MakeRepo, monkeypatch: pytest.MonkeyPatch, printed: str, resolved: bool
) -> None:
    way = GradingSpec(command=f"echo '{printed}'", read=lambda _: {}, fail_only=True)
    monkeypatch.setattr(instance_grading, "grading_spec", lambda *_: way)
    case = GradingCase(make_repo({"calc.py": CODE, "tests/test_calc.py": TESTS}), "local")
    assert case.grade(case.gold.patch).resolved == resolved


@pytest.mark.slow
def test_right_patch_that_prints_results_resolves(case: GradingCase) -> None:
    assert case.grade(case.diff({"calc.py": PRINT + RIGHT})).resolved


def report(*results: TestResult, granularity: str = "test") -> SuiteReport:
    return SuiteReport(results, "pytest", 0, granularity=granularity)  # type: ignore[arg-type]


def test_only_recorded_results_can_contradict_the_log() -> None:
    names = ["a.py::t", "b.py::u", "[ 30%]"]
    passed, failed = TestResult("a.py::t", "passed"), TestResult("b.py::u", "failed")
    assert unconfirmed(names, report(passed, failed)) == {"b.py::u"}
    assert unconfirmed(names, report(passed)) == {"b.py::u"}, "not run"
    assert unconfirmed(names, report()) == {"a.py::t", "b.py::u"}, "a session without tests"
    assert unconfirmed(names, report(granularity="command")) == set()
    assert unconfirmed(names, report(TestResult("other", "passed"))) == set(), "names in another form"
    assert unconfirmed(["test_x (m.C)", "m.C.test_y"], report(TestResult("m.C.test_x", "passed"))) == {"m.C.test_y"}
