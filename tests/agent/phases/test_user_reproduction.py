"""Tests of the repository that an issue names, and issues that only ask for passing tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from agent.config.settings import Settings
from agent.engine.branch import Branch
from agent.engine.run_lifecycle import begin, reopen
from agent.engine.task import Task
from agent.phases.base_failures import FAILING_TESTS, is_about_failing_tests
from agent.phases.user_reproduction import _named_tests
from tests.conftest import MakeRepo
from trajectories.records import Issue

FILES = {
    "tests/test_calc.py": "def test_add():\n    pass\n\n\nclass TestCase:\n    def test_sub(self):\n        pass\n",
    "test_top.py": "def test_top():\n    pass\n",
    "notes.txt": "def test_add():\n",
}


def named(root: Path, state: Path, text: str) -> tuple[str, ...]:
    """Return the tests that an issue with this text names."""
    (state / "script.jsonl").write_text("")
    settings = Settings(model=f"scripted:{state / 'script.jsonl'}", workspace="local", state=state)
    directory = begin(Issue("It fails", text), Repository.open(root), settings, None)
    engine = reopen(directory, state, lambda event: None)
    try:
        return _named_tests(Task(Branch(engine)))
    finally:
        engine.close()


@pytest.mark.parametrize(
    ("text", "tests"),
    [
        ("FAILED tests/test_calc.py::test_add - assert 1 == 2", ("tests/test_calc.py::test_add",)),
        ("See `tests/test_calc.py::TestCase::test_sub`.", ("tests/test_calc.py::TestCase::test_sub",)),
        ("tests/test_calc.py::test_add[1-a.b]: error", ("tests/test_calc.py::test_add[1-a.b]",)),
        ("test_top.py::test_top, then again test_top.py::test_top", ("test_top.py::test_top",)),
        (
            "test_top.py::test_top tests/test_calc.py::test_add",
            ("test_top.py::test_top", "tests/test_calc.py::test_add"),
        ),
        ("tests/test_calc.py::test_missing", ()),
        ("tests/missing.py::test_add", ()),
        ("../tests/test_calc.py::test_add and /tests/test_calc.py::test_add", ()),
        ("tests/test_calc.py::test_ad", ()),
        ("tests/test_calc.py::TestCase", ()),
        ("tests/test_calc.py", ()),
        ("notes.txt::test_add", ()),
        ("", ()),
    ],
)
def test_existing_tests_that_the_issue_names(
    make_repo: MakeRepo, tmp_path: Path, text: str, tests: tuple[str, ...]
) -> None:
    assert named(make_repo(FILES), tmp_path, text) == tests


@pytest.mark.parametrize(
    "issue",
    [
        FAILING_TESTS,
        *(Issue("Fix the failing tests.", ""), Issue("fix tests", ""), Issue("Make all tests pass!", "")),
        *(Issue("Make the", "broken test green"), Issue("Repair broken tests", "\n")),
    ],
)
def test_issue_is_only_about_failing_tests(issue: Issue) -> None:
    assert is_about_failing_tests(issue)


@pytest.mark.parametrize(
    "issue",
    [
        *(Issue("Fix the failing tests", "add() subtracts"), Issue("Fix the tests in test_calc.py", "")),
        *(Issue("The tests pass", ""), Issue("Add failing tests", ""), Issue("", ""), Issue("Fix the test runner", "")),
    ],
)
def test_issue_says_more(issue: Issue) -> None:
    assert not is_about_failing_tests(issue)
