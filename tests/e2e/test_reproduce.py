"""`swe-agent reproduce` as a process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import git
from tests.e2e.conftest import Machine

pytestmark = pytest.mark.slow

TEST = """\
import unittest
from calc.core import add


class IssueTest(unittest.TestCase):
    def test_add_subtracts(self):
        self.assertEqual(add(2, 3), 5)
"""


def reproduce(machine: Machine, repo: Path, *options: str) -> dict:
    return machine.json("reproduce", "--repo", str(repo), "--workspace", "local", *options)


def test_example_in_words_becomes_test(machine: Machine, calculator: Path, issue_file: str) -> None:
    found = reproduce(machine, calculator, "--issue-file", issue_file)
    assert found["returncode"] == 0
    assert (found["path"], found["text"]) == ("tests/test_core_issue.py", TEST)
    assert found["error"] == "-1"
    assert git(calculator, "status", "--porcelain") == ""


def test_apply_writes_test(machine: Machine, calculator: Path, issue_file: str) -> None:
    options = ("--repo", str(calculator), "--issue-file", issue_file, "--workspace", "local", "--apply")
    completed = machine.run("reproduce", *options)
    assert completed.returncode == 0
    assert "tests/test_core_issue.py was written." in completed.stdout
    assert (calculator / "tests/test_core_issue.py").read_text() == TEST


def test_reason_why_there_is_no_test(machine: Machine, calculator: Path) -> None:
    found = reproduce(machine, calculator, "--text", "It does not work.")
    assert found["returncode"] == 1
    assert found["text"] == ""
    assert found["reason"] == "The issue shows no Python code that can be run."


def test_local_workspace_must_be_asked_for(machine: Machine, calculator: Path, issue_file: str) -> None:
    completed = machine.run("reproduce", "--repo", str(calculator), "--issue-file", issue_file)
    assert completed.returncode == 2
    assert "without isolation" in completed.stderr
