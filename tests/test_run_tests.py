"""Selection of tests by `make test PATHS=...`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "scripts/run_tests.py", "all", "--workers", "0", *arguments, "--collect-only", "-q"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def files(result: subprocess.CompletedProcess[str]) -> set[str]:
    return {line.partition("::")[0] for line in result.stdout.splitlines() if "::" in line}


@pytest.mark.slow
def test_module_selects_its_tests_and_those_of_its_importers() -> None:
    result = run("extensions/replay/run_comparison.py")
    assert {
        "tests/extensions/replay/test_comparison_view.py",
        "tests/extensions/replay/test_run_comparison.py",
        "tests/extensions/replay/test_run_replay.py",
    } <= files(result)
    assert "tests/aci/runtime/test_shell_session.py" not in files(result)


@pytest.mark.slow
def test_module_loaded_by_name_selects_its_tests() -> None:
    result = run("tools/edit.py", "extensions/papers/strategies/debate.py")
    assert {"tests/tools/test_edit.py", "tests/extensions/papers/test_debate.py"} <= files(result)


@pytest.mark.slow
def test_path_of_test_file_selects_this_file() -> None:
    assert files(run("tests/tools/test_edit.py")) == {"tests/tools/test_edit.py"}


@pytest.mark.slow
def test_missing_path_or_path_without_tests_is_error() -> None:
    result = run("agent/nothing")
    assert (result.returncode, result.stderr) == (2, "agent/nothing does not exist.\n")
    result = run("docs")
    assert (result.returncode, result.stderr) == (2, "No test imports docs.\n")
