"""The strategy without a model, from the failing test to the proof, and again on resume."""

from __future__ import annotations

from pathlib import Path

import pytest

from aci.repository import Repository
from agent.engine import Engine
from agent.settings import Settings
from agent.solve import begin, reopen, solve
from trajectories.records import Issue

ADD = "def add(a, b):\n    return a - b\n\n\ndef twice(a):\n    return add(a, a)\n"
TESTS = """\
import unittest

from calc import add, twice


class CalcTest(unittest.TestCase):
    def test_add(self):
        self.assertEqual(add(2, 3), 5)
        self.assertEqual(add(7, 4), 11)

    def test_twice(self):
        self.assertEqual(twice(4), 8)

    def test_nothing(self):
        self.assertEqual(add(0, 0), 0)
"""
FILES = {"calc.py": ADD, "tests/__init__.py": "", "tests/test_calc.py": TESTS, ".gitignore": "__pycache__/\n"}
COMMAND = "python -m unittest discover -s tests -t ."


@pytest.fixture
def run(tmp_path: Path, make_repo, monkeypatch: pytest.MonkeyPatch):
    """`run(files)` starts a run and answers with what opens it, again and again."""
    import os
    import sys

    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("agent.strategies.templates.SEARCH_SECONDS", 15.0)
    monkeypatch.setattr("agent.moves.templates.RIVAL_SECONDS", 2.0)
    settings = Settings(workspace="local", strategy="templates", test=COMMAND, state=tmp_path / "state")

    def start(files: dict[str, str], issue: str = "add() subtracts"):
        directory = begin(Issue(issue), Repository.open(make_repo(files)), settings)
        return lambda: reopen(directory, settings.state)

    return start


def drive(engine: Engine):
    """The authors of the steps, and the result."""
    authors = []
    try:
        running = solve(engine)
        while True:
            try:
                authors.append(next(running).author)
            except StopIteration as end:
                return authors, end.value
    finally:
        engine.close()


def test_a_bug_is_found_mended_and_proved(run) -> None:
    opened = run(FILES)
    authors, result = drive(opened())
    assert authors == ["templates", "proof", "templates"]
    assert result.exit.code == 0
    assert result.exit.verdict.verified
    assert "+    return a + b" in result.patch.source
    assert "Replace `-` by `+` before `b` in `calc.py`, line 2. 2 failing tests may be" in result.word
    assert drive(opened()) == ([], result)


def test_a_resumed_run_does_not_search_again(run, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = run(FILES)
    first = opened()
    running = solve(first)
    step = next(running)
    running.close()
    first.close()
    monkeypatch.setattr("agent.moves.templates.search", None)
    authors, result = drive(opened())
    assert authors == ["templates", "proof", "templates"]
    assert (result.exit.code, result.exit.tree) == (0, step.tree)


def test_without_a_failing_test_it_says_where_to_look_and_claims_nothing(run) -> None:
    files = {**FILES, "calc.py": ADD.replace("a - b", "a + b")}
    opened = run(files, "twice() is wrong")
    engine = opened()
    _, result = drive(engine)
    assert (result.exit.code, result.exit.kind, bool(result.patch)) == (1, "not_found", False)
    assert not result.exit.verdict.verified
    assert "calc.py" in engine.trajectory.all_steps()[0].observations[0].text


def test_where_no_edit_helps_the_suspicious_lines_are_told(run) -> None:
    files = {**FILES, "calc.py": ADD.replace("return a - b", "return SECRET[a]")}
    engine = run(files)()
    _, result = drive(engine)
    assert (result.exit.code, bool(result.patch)) == (1, False)
    assert "calc.py:2" in engine.trajectory.all_steps()[0].observations[0].text


def test_only_the_tests_that_the_issue_names_must_be_mended(run) -> None:
    other = "\n    def test_unrelated(self):\n        self.fail('another story')\n"
    files = {**FILES, "tests/test_calc.py": TESTS + other}
    _, result = drive(run(files, "test_add and test_twice fail: add() subtracts")())
    assert "+    return a + b" in result.patch.source
