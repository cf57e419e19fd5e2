"""Which tests `make test PATHS=...` runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "scripts/run_tests.py", "quick", "--workers", "0", *arguments, "--collect-only", "-q"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_tests_of_a_module_and_of_those_that_import_it() -> None:
    done = run("trajectories/parting.py")
    files = {line.partition("::")[0] for line in done.stdout.splitlines() if "::" in line}
    assert {
        "tests/agent/test_parted.py",
        "tests/trajectories/test_parting.py",
        "tests/agent/test_ownership.py",
    } <= files
    assert "tests/aci/test_shell.py" not in files
    assert "The limit on two quiet cores is 6 min." in done.stdout


@pytest.mark.slow
def test_a_path_that_no_test_imports_is_an_error() -> None:
    done = run("agent/nothing")
    assert (done.returncode, done.stderr) == (5, "No test imports agent/nothing.\n")
