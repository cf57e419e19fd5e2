"""Tests that fail after a patch, read from pytest's output; the reproduction given to `fix`; bad input."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks._instances import failing
from benchmarks.real_bugs import main, reproduction
from extensions.lab.instances.dataset_instances import Gold

PYTEST_OUTPUT = """\
PASSED tests/test_a.py::test_one
PASSED tests/test_a.py::test_two[x - y]
PASSED tests/test_b.py::test_twice
XFAIL tests/test_a.py::test_known - some day
FAILED tests/test_c.py::test_twice - assert 1 == 2
ERROR tests/test_a.py::test_broken - no such fixture
PASSED tests/other.py::test_elsewhere
1 failed, 5 passed
"""
TESTED = ("tests/test_a.py", "tests/test_b.py", "tests/test_c.py")


@pytest.mark.parametrize(
    ("name", "fails"),
    [
        ("tests/test_a.py::test_one", False),
        ("tests/test_a.py::test_on", True),
        ("tests/test_a.py::test_two[x - y]", False),
        ("tests/test_a.py::test_two[x", False),
        ("tests/test_a.py::test_known", False),
        ("tests/test_c.py::test_twice", True),
        ("test_one", False),
        ("test_known", False),
        ("test_broken", True),
        ("test_twice", True),
        ("test_elsewhere", True),
        ("test_nowhere", True),
        ("[100%]", False),
    ],
)
def test_test_fails_unless_it_passes_in_tested_files(name: str, fails: bool) -> None:
    assert failing([name], PYTEST_OUTPUT, TESTED) == ([name] if fails else [])


def test_test_of_two_files_passes_if_both_pass() -> None:
    assert failing(["test_twice"], PYTEST_OUTPUT, TESTED[:2]) == []


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["test_one"], "tests/test_a.py::test_one"),
        (["test_one", "test_two"], "tests/test_a.py"),
        (["tests/test_b.py::test_one"], "tests/test_b.py::test_one"),
        (["tests/test_b.py::test_one", "tests/test_b.py::test_two"], "tests/test_b.py"),
        (["tests/test_b.py::test_one[a]"], "tests/test_b.py::test_one[a]"),
        (["tests/test_b.py::test_one[a"], "tests/test_b.py::test_one"),
    ],
)
def test_reproduction_is_failing_test_or_file_of_several(names: list[str], expected: str) -> None:
    patch = "diff --git a/tests/test_a.py b/tests/test_a.py\n--- a/tests/test_a.py\n+++ b/tests/test_a.py\n"
    assert reproduction(Gold("id", "", patch, tuple(names), (), {})) == expected


def test_missing_input_file_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = str(tmp_path / "missing.jsonl")
    assert main(["--issues", missing, "--gold", missing, "--repos", str(tmp_path)]) == 2
    assert "missing.jsonl cannot be read" in capsys.readouterr().err
