"""The strategy without a model, from the failing test to the proof, and again on resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aci.repository.user_repository import Repository
from agent.config.settings import Settings
from agent.engine.engine import Engine, ProgressEvent
from agent.engine.run_lifecycle import begin, reopen, solve
from agent.repair.search_progress import WIDTH
from trajectories.errors import Cancelled
from trajectories.journal import read
from trajectories.records import Issue

pytestmark = pytest.mark.slow

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
NEVER = {**FILES, "tests/test_calc.py": TESTS.replace("add(7, 4), 11", "add(7, 4), object()")}
"""No edit of the repository makes this test pass."""
COMMAND = "python -m unittest discover -s tests -t ."


@pytest.fixture
def run(tmp_path: Path, make_repo, monkeypatch: pytest.MonkeyPatch):
    """`run(files)` starts a run and answers with what opens it, again and again."""
    import os
    import sys

    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("agent.phases.template_search.SEARCH_SECONDS", 15.0)
    monkeypatch.setattr("agent.repair.repair_search.RIVALS", (100, 200))

    def start(files: dict[str, str], issue: str = "add() subtracts", **more: Any):
        settings = Settings(workspace="local", strategy="templates", test=COMMAND, state=tmp_path / "state", **more)
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


def test_bug_is_found_mended_and_proved(run) -> None:
    opened = run(FILES)
    authors, result = drive(opened())
    assert authors == ["templates", "proof", "templates"]
    assert result.exit.code == 0
    assert result.exit.verdict.verified
    assert "+    return a + b" in result.patch.source
    assert "Replace `-` by `+` before `b` in `add` (`calc.py`, line 2)" in result.word
    notes = read(result.directory).notes
    candidate = next(note for note in notes if note.kind == "candidate")
    assert candidate.text == "calc.py:2 replace `-` by `+` before `b`"
    assert candidate.data["behaviour"] == "A"
    assert {"score", "template"} <= set(candidate.data)
    assert any(note.kind == "place" and note.text.startswith("calc.py:2") for note in notes)
    assert next(note for note in notes if "edits tried" in note.text).data["tried"] > 0
    assert drive(opened()) == ([], result)


def test_resumed_run_does_not_search_again(run, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = run(FILES)
    first = opened()
    running = solve(first)
    step = next(running)
    running.close()
    first.close()
    monkeypatch.setattr("agent.repair.repair_search.search", None)
    authors, result = drive(opened())
    assert authors == ["templates", "proof", "templates"]
    assert (result.exit.code, result.exit.tree) == (0, step.tree)


def test_what_was_tried_before_interrupt_is_not_tried_again(run) -> None:
    """The first process is stopped while it tries edits, the second goes on; no edit is on the record twice."""
    opened = run(NEVER)
    first = opened()

    def stop(happening: ProgressEvent) -> None:
        if happening.kind == "progress" and "trying edits: " in happening.text:
            first.cancel.set()

    first.notify = stop
    with pytest.raises(Cancelled):
        drive(first)
    before = tried(first)
    assert before
    second = opened()
    _, result = drive(second)
    after = tried(second)
    assert after[: len(before)] == before
    assert len(set(after)) == len(after) > len(before)
    assert (result.exit.code, bool(result.patch)) == (1, False)


def tried(engine: Engine) -> list[bytes]:
    """The digests of what is on the record as tried."""
    results = read(engine.journal.directory).results
    outs = [once.value["digests"] for (_, name), once in results.items() if name.startswith("tried ")]
    data = b"".join(engine.journal.recall(out) for out in outs)
    return [data[at : at + WIDTH] for at in range(0, len(data), WIDTH)]


def test_search_ends_before_time_does(run) -> None:
    """Nothing mends it, and the run's own end is left for the proof: it ends by itself, not by the limit."""
    opened = run(NEVER, max_time=40.0)
    _, result = drive(opened())
    assert (result.exit.kind, result.exit.code) == ("not_found", 1)
    assert "edits tried" in result.word


def test_test_that_hangs_is_mended_and_proved(run) -> None:
    loops = "def add(a, b):\n    while b:\n        a += 1\n        b += 1\n    return a\n"
    files = {**FILES, "calc.py": loops + "\n\ndef twice(a):\n    return add(a, a)\n"}
    _, result = drive(run(files, test_timeout=20.0)())
    assert result.exit.verdict.red is result.exit.verdict.green is result.exit.verdict.red_again is True, result.word
    assert "+        b " in result.patch.source


def test_tests_that_are_only_slow_are_not_to_be_mended(run, monkeypatch: pytest.MonkeyPatch) -> None:
    """All is right on the base: an edit that makes it quicker, and wrong, would pass what was cut off before."""
    monkeypatch.setattr("agent.phases.base_failures.HASTY", 0.5)
    waits = "import time\n\n\ndef add(a, b):\n    time.sleep(0.8)\n    return a + b\n\n\n"
    files = {**FILES, "calc.py": waits + "def twice(a):\n    return add(a, a)\n"}
    _, result = drive(run(files, test_timeout=30.0)())
    assert (result.exit.kind, bool(result.patch)) == ("not_found", False)
    assert "Slow, but passing" in result.word


def test_what_edits_wrote_while_they_were_tried_is_not_in_patch(run) -> None:
    writes = "def add(a, b):\n    open(f'seen-{a}-{a - b}.txt', 'w').close()\n    return a - b\n\n\n"
    files = {**FILES, "calc.py": writes + "def twice(a):\n    return add(a, a)\n"}
    engine = run(files)()
    _, result = drive(engine)
    assert "+    return a + b" in result.patch.source
    changed = engine.trees.changed(engine.run.base.tree, result.exit.tree)
    assert [change.path for change in changed] == ["calc.py"]


def offered(new: str, doubt: str) -> dict[str, Any]:
    """An edit as a search has it."""
    words = {"path": "calc.py", "function": "add", "description": f"return {new}", "why": "", "special": ""}
    return {**words, "line": 2, "doubt": doubt, "alike": 0, "share": 0.5, "old": "return a - b", "new": f"return {new}"}


@pytest.mark.parametrize("doubts", [("", ""), ("Who knows?", ""), ("", "Who knows?")])
def test_edit_that_proof_refutes_gives_way_to_next(run, monkeypatch, doubts: tuple[str, str]) -> None:
    """The first breaks a test that the search did not run; the second is proven under its own doubt."""
    edits = [offered(new, doubt) for new, doubt in zip(("a + b + (not a)", "a + b"), doubts, strict=True)]
    counts = {"places": 1, "tried": 2, "cpu": 0.1, "seconds": 0.1, "why": "", "suspects": [], "plausible": []}
    found = counts | {"edits": edits, "telling": [["add(0, 0)", ["1", "0"]]], "doubt": doubts[0]}
    monkeypatch.setattr("agent.phases.template_search._search", lambda task, tests: found | {"tree": task.tree})
    authors, result = drive(run(FILES)())
    assert authors == ["templates", "proof", "templates", "templates", "proof", "templates"]
    assert "+    return a + b\n" in result.patch.source
    assert "The proof rejects A." in result.word
    assert result.exit.verdict.verified is (not doubts[1])
    assert doubts[1] in result.word
    assert "--choose A" not in result.word


def test_without_failing_test_it_says_where_to_look_and_claims_nothing(run) -> None:
    files = {**FILES, "calc.py": ADD.replace("a - b", "a + b")}
    opened = run(files, "twice() is wrong")
    engine = opened()
    _, result = drive(engine)
    assert (result.exit.code, result.exit.kind, bool(result.patch)) == (1, "not_found", False)
    assert not result.exit.verdict.verified
    assert "calc.py" in engine.trajectory.all_steps()[0].observations[0].text


def test_where_no_edit_helps_suspicious_lines_are_told(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.phases.template_search.SEARCH_SECONDS", 6.0)
    engine = run(NEVER)()
    _, result = drive(engine)
    assert (result.exit.code, bool(result.patch)) == (1, False)
    told = engine.trajectory.all_steps()[0].observations[0].text
    assert "calc.py:2" in told
    assert "One edit had to fix all 2 failing tests" in told
    assert "--max-time" in told


@pytest.mark.parametrize(("name", "how"), [("test_nosuch", "were not found"), ("test_nothing", "pass")])
def test_given_tests_that_do_not_fail_are_not_silently_replaced_by_others(run, name: str, how: str) -> None:
    engine = run(FILES, reproduce=f"tests/test_calc.py::CalcTest::{name}")()
    _, result = drive(engine)
    assert not result.patch
    assert how in engine.trajectory.all_steps()[0].observations[0].text


def test_only_tests_that_issue_names_must_be_mended(run) -> None:
    other = "\n    def test_unrelated(self):\n        self.fail('another story')\n"
    files = {**FILES, "tests/test_calc.py": TESTS + other}
    _, result = drive(run(files, "test_add and test_twice fail: add() subtracts")())
    assert "+    return a + b" in result.patch.source
