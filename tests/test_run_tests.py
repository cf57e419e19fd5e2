"""Which tests `make test PATHS=...` runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "scripts/run_tests.py", "all", "--workers", "0", *arguments, "--collect-only", "-q"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def files(done: subprocess.CompletedProcess[str]) -> set[str]:
    return {line.partition("::")[0] for line in done.stdout.splitlines() if "::" in line}


@pytest.mark.slow
def test_tests_of_module_and_of_those_that_import_it() -> None:
    done = run("trajectories/run_comparison.py")
    assert {
        "tests/agent/runs/test_comparison_view.py",
        "tests/trajectories/test_run_comparison.py",
        "tests/agent/run_state/test_run_ownership.py",
    } <= files(done)
    assert "tests/aci/runtime/test_shell_session.py" not in files(done)


@pytest.mark.slow
def test_tests_of_module_that_is_loaded_by_its_name() -> None:
    done = run("tools/edit.py", "agent/strategies/debate.py")
    assert {"tests/tools/test_edit.py", "tests/agent/strategies/test_debate.py"} <= files(done)


@pytest.mark.slow
def test_tests_themselves() -> None:
    assert files(run("tests/tools/test_edit.py")) == {"tests/tools/test_edit.py"}


@pytest.mark.slow
def test_path_that_is_not_there_or_has_no_test_is_error() -> None:
    done = run("agent/nothing")
    assert (done.returncode, done.stderr) == (2, "There is no agent/nothing.\n")
    done = run("docs")
    assert (done.returncode, done.stderr) == (2, "No test imports docs.\n")
