"""The `templates` strategy, which uses no model: search, proof and resumption."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aci.repository.user_repository import Repository
from agent.config.settings import Settings
from agent.engine.engine import Engine
from agent.lifecycle.run_lifecycle import begin, reopen, solve
from agent.lifecycle.turn_lifecycle import next_turn
from agent.run_state.progress_event import ProgressEvent
from extensions.experiment.evaluator.candidate_evaluator import Evaluator
from extensions.repair.search_progress import WIDTH
from tests.conftest import git
from trajectories.errors import Cancelled
from trajectories.facts import Fact
from trajectories.git_store.git_commands import encode
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
UNFIXABLE = {**FILES, "tests/test_calc.py": TESTS.replace("add(7, 4), 11", "add(7, 4), object()")}
"""No edit of the repository makes this test pass."""
COMMAND = "python -m unittest discover -s tests -t ."


@pytest.fixture
def start_run(tmp_path: Path, make_repo, monkeypatch: pytest.MonkeyPatch):
    """`start_run(files)` starts a run and returns a function that opens it."""
    import os
    import sys

    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("extensions.repair.template_search.SEARCH_SECONDS", 15.0)
    monkeypatch.setattr("extensions.repair.repair_search.RIVALS", (100, 200))

    def write_run(files: dict[str, str] | Path, issue: str = "add() subtracts", body: str = "", **changes: Any):
        settings = Settings(
            workspace="local", strategy="templates", state=tmp_path / "state", **{"test": COMMAND, **changes}
        )
        root = files if isinstance(files, Path) else make_repo(files)
        directory = begin(Issue(issue, body), Repository.open(root), settings)
        return lambda: reopen(directory, settings.state)

    return write_run


def drive(engine: Engine):
    """Work on the run to its end; return the authors of the steps and the result."""
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


def test_bug_is_found_fixed_and_proved(start_run) -> None:
    open_run = start_run(FILES)
    authors, result = drive(open_run())
    assert authors == ["templates", "proof", "templates"]
    assert (result.exit.kind, result.exit.code) == ("plausible", 6)  # the search fitted the edit to the tests
    assert "+    return a + b" in result.patch.source
    assert "Replace `-` by `+` before `b` in `add` (`calc.py`, line 2)" in result.word
    notes = read(result.directory).notes
    candidate = next(note for note in notes if note.kind == "candidate")
    assert candidate.text == "calc.py:2 replace `-` by `+` before `b`"
    assert candidate.data["behaviour"] == "A"
    assert {"score", "template"} <= set(candidate.data)
    assert any(note.kind == "place" and note.text.startswith("calc.py:2") for note in notes)
    assert next(note for note in notes if "edits tried" in note.text).data["tried"] > 0
    assert drive(open_run()) == ([], result)


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_repository_in_another_language_needs_a_model(start_run) -> None:
    test = "const test = require('node:test')\ntest('adds', () => { throw new Error('no') })\n"
    files = {"package.json": '{"name": "calc", "scripts": {"test": "node --test"}}\n', "test/a.test.js": test}
    settings = {"test": "npm test"}
    authors, result = drive(start_run(files, **settings)())
    assert authors == ["templates"]
    assert "Without a model, only Python code can be repaired. Choose a model with --model" in result.word
    assert result.exit.code == 1


def test_second_proof_of_found_edit_is_no_independent_evidence(start_run) -> None:
    """The search fitted the edit to the test, although the issue names it."""
    open_run = start_run(FILES, "test_add fails: add() subtracts")
    _, result = drive(open_run())
    assert (result.exit.kind, result.exit.verdict.generality) == ("plausible", "shown")
    engine = open_run()
    next_turn(engine, "", "prove", engine.settings)
    _, again = drive(engine)
    assert (again.exit.kind, again.exit.verdict.generality) == ("plausible", "shown")
    asked = [step.observations[0].data["asked"] for step in engine.trajectory.all_steps() if step.author == "proof"]
    assert [each.get("fitted") for each in asked] == [True, True]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-8"])
def test_module_in_declared_encoding_is_fixed(start_run, make_repo, encoding: str) -> None:
    accents = f"# coding: {encoding}\n# d\xe9j\xe0 vu\n{ADD}".replace(
        "return a - b", 'w = "\xe9"; return a - b  # \xe0'
    )
    root = make_repo({**FILES, "calc.py": accents.encode(encoding)})
    _, result = drive(start_run(root)())
    assert result.exit.verdict.complete
    line = 'w = "\xe9"; return a + b  # \xe0'
    assert f"+    {line}\n".encode(encoding) in encode(result.patch.source)


def test_submodule_of_missing_module_is_named(start_run, make_repo) -> None:
    root = make_repo({"tests/__init__.py": "", "tests/test_calc.py": TESTS.replace("calc", "libs.calc.sums")})
    (root / "libs" / "calc").mkdir(parents=True)
    link = ("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},libs/calc")
    for command in (link, ("commit", "-q", "-m", "Add a submodule")):
        git(root, *command)
    _, result = drive(start_run(root)())
    assert "lies in the submodule libs/calc" in result.word
    assert "Install" not in result.word


def test_resumed_run_does_not_search_again(start_run, monkeypatch: pytest.MonkeyPatch) -> None:
    open_run = start_run(FILES)
    first = open_run()
    running = solve(first)
    step = next(running)
    running.close()
    first.close()
    monkeypatch.setattr("extensions.repair.repair_search.search", None)
    authors, result = drive(open_run())
    assert authors == ["templates", "proof", "templates"]
    assert (result.exit.code, result.exit.tree) == (6, step.tree)


def test_resumed_search_does_not_repeat_tried_edits(start_run) -> None:
    """The first process is interrupted while it tries edits, and the second resumes."""
    open_run = start_run(UNFIXABLE)
    first = open_run()

    def interrupt(event: ProgressEvent) -> None:
        if event.kind == "progress" and "trying edits: " in event.text:
            first.cancel.set()

    first.notify = interrupt
    with pytest.raises(Cancelled):
        drive(first)
    before = tried_digests(first)
    assert before
    second = open_run()
    _, result = drive(second)
    after = tried_digests(second)
    assert after[: len(before)] == before
    assert len(set(after)) == len(after) > len(before)
    assert (result.exit.code, bool(result.patch)) == (1, False)


def tried_digests(engine: Engine) -> list[bytes]:
    """The digests of the edits that the journal records as tried."""
    results = read(engine.journal.directory).results
    output_numbers = [once.value["digests"] for (_, name), once in results.items() if name.startswith("tried ")]
    data = b"".join(engine.journal.recall(out) for out in output_numbers)
    return [data[at : at + WIDTH] for at in range(0, len(data), WIDTH)]


def test_search_ends_before_time_limit(start_run) -> None:
    """No edit fixes the tests. The search leaves time for the end of the run."""
    open_run = start_run(UNFIXABLE, max_time=40.0)
    _, result = drive(open_run())
    assert (result.exit.kind, result.exit.code) == ("not_found", 1)
    assert "edits tried" in result.word


def test_hanging_test_is_fixed_and_proved(start_run) -> None:
    looping_source = "def add(a, b):\n    while b:\n        a += 1\n        b += 1\n    return a\n"
    files = {**FILES, "calc.py": looping_source + "\n\ndef twice(a):\n    return add(a, a)\n"}
    _, result = drive(start_run(files, test_timeout=20.0)())
    assert result.exit.verdict.red is result.exit.verdict.green is result.exit.verdict.red_again is True, result.word
    assert "+        b " in result.patch.source


def test_slow_passing_tests_are_not_fixed(start_run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the short timeout of the search, a fast and wrong edit would pass tests that the correct code does not."""
    monkeypatch.setattr("agent.phases.base_failures.HASTY", 0.5)
    slow_source = "import time\n\n\ndef add(a, b):\n    time.sleep(0.8)\n    return a + b\n\n\n"
    files = {**FILES, "calc.py": slow_source + "def twice(a):\n    return add(a, a)\n"}
    _, result = drive(start_run(files, test_timeout=30.0)())
    assert (result.exit.kind, bool(result.patch)) == ("not_found", False)
    assert "Slow, but passing" in result.word


def test_files_written_by_tried_edits_are_not_in_patch(start_run) -> None:
    writing_source = "def add(a, b):\n    open(f'seen-{a}-{a - b}.txt', 'w').close()\n    return a - b\n\n\n"
    files = {**FILES, "calc.py": writing_source + "def twice(a):\n    return add(a, a)\n"}
    engine = start_run(files)()
    _, result = drive(engine)
    assert "+    return a + b" in result.patch.source
    changed = engine.trees.changed(engine.run.base.tree, result.exit.tree)
    assert [change.path for change in changed] == ["calc.py"]


def search_edit(new: str, doubt: str) -> dict[str, Any]:
    """An edit as a search records it."""
    details = {"path": "calc.py", "function": "add", "description": f"return {new}", "why": "", "special": ""}
    return {
        **details,
        "line": 2,
        "doubt": doubt,
        "alike": 0,
        "share": 0.5,
        "old": "return a - b",
        "new": f"return {new}",
    }


@pytest.mark.parametrize("doubts", [("", ""), ("Not certain.", ""), ("", "Not certain.")])
def test_next_edit_is_used_after_rejected_proof(start_run, monkeypatch, doubts: tuple[str, str]) -> None:
    """The first edit breaks a test that the search did not run; the second is proven with its own doubt."""
    edits = [search_edit(new, doubt) for new, doubt in zip(("a + b + (not a)", "a + b"), doubts, strict=True)]
    counts = {"places": 1, "tried": 2, "cpu": 0.1, "seconds": 0.1, "why": "", "suspects": [], "plausible": []}
    search_result = counts | {"edits": edits, "telling": [["add(0, 0)", ["1", "0"]]], "doubt": doubts[0]}
    monkeypatch.setattr(
        "extensions.repair.template_search._search", lambda task, *_: search_result | {"tree": task.tree}
    )
    authors, result = drive(start_run(FILES)())
    assert authors == ["templates", "proof", "templates", "templates", "proof", "templates"]
    assert "+    return a + b\n" in result.patch.source
    assert "The proof rejects A." in result.word
    assert result.exit.verdict.complete is (not doubts[1])
    assert doubts[1] in result.word
    assert "--choose A" not in result.word


def test_edits_that_are_not_proven_are_shown_and_can_be_chosen(start_run, monkeypatch) -> None:
    """The first and last edits are not proven, since their generality is doubted, and the second breaks a test."""
    edits = [search_edit("a + b", ""), search_edit("a + b + (not a)", ""), search_edit("b + a", "")]
    counts = {"places": 1, "tried": 3, "cpu": 0.1, "seconds": 0.1, "why": "", "suspects": [], "plausible": []}
    search_result = counts | {"edits": edits, "telling": [], "doubt": ""}
    monkeypatch.setattr(
        "extensions.repair.template_search._search", lambda task, *_: search_result | {"tree": task.tree}
    )
    monkeypatch.setattr(
        "aci.proof.proof.try_patch",
        lambda *_: SimpleNamespace(reason=Fact("limit", "r"), doubt="It fits.", generality=""),
    )
    _, result = drive(start_run(FILES)())
    assert "+    return a + b\n" in result.patch.source
    assert result.exit.verdict.kind == "unproven"
    assert "A (the patch now): " in result.word
    assert "It fits." in result.word
    assert "B: " in result.word
    assert "Unproven: the patch breaks a test that passed before." in result.word
    assert "--choose C" in result.word


def test_without_failing_test_suspicious_places_are_reported(start_run) -> None:
    files = {**FILES, "calc.py": ADD.replace("a - b", "a + b")}
    open_run = start_run(files, "twice() is wrong")
    engine = open_run()
    _, result = drive(engine)
    assert (result.exit.code, result.exit.kind, bool(result.patch)) == (1, "not_found", False)
    assert not result.exit.verdict.complete
    assert "calc.py" in engine.trajectory.all_steps()[0].observations[0].text


def test_suspicious_lines_are_reported_if_no_edit_helps(start_run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extensions.repair.template_search.SEARCH_SECONDS", 6.0)
    engine = start_run(UNFIXABLE)()
    _, result = drive(engine)
    assert (result.exit.code, bool(result.patch)) == (1, False)
    report = engine.trajectory.all_steps()[0].observations[0].text
    assert "calc.py:2" in report
    assert "The search looked for one edit that fixes all 2 failing tests" in report
    assert "--max-time" in report


@pytest.mark.parametrize(("name", "expected"), [("test_nosuch", "were not found"), ("test_nothing", "pass")])
def test_given_tests_that_do_not_fail_are_reported(start_run, name: str, expected: str) -> None:
    engine = start_run(FILES, reproduce=f"tests/test_calc.py::CalcTest::{name}")()
    _, result = drive(engine)
    assert not result.patch
    assert expected in engine.trajectory.all_steps()[0].observations[0].text


def test_only_tests_named_in_issue_must_be_fixed(start_run) -> None:
    other = "\n    def test_unrelated(self):\n        self.fail('another story')\n"
    files = {**FILES, "tests/test_calc.py": TESTS + other}
    _, result = drive(start_run(files, "test_add and test_twice fail: add() subtracts")())
    assert "+    return a + b" in result.patch.source


def test_only_tests_of_the_file_that_the_issue_names_must_be_fixed(start_run) -> None:
    """A test that lacks a package is left out and named."""
    other = "import unittest\nclass T(unittest.TestCase):\n    def test_it(self): {}\n"
    more = {"tests/test_other.py": other.format("self.fail()"), "tests/test_z.py": other.format("import no_such_one")}
    engine = start_run({**FILES, **more}, "tests/test_calc.py fails")()
    _, result = drive(engine)
    assert "+    return a + b" in result.patch.source
    said = " ".join(note.text for note in engine.trajectory.notes if note.kind == "summary")
    assert "Left out, since a package is missing: tests.test_z.T.test_it." in said


def test_example_of_issue_is_the_failing_test_if_no_other_fails(start_run) -> None:
    passing = "import unittest\n\n\nclass CalcTest(unittest.TestCase):\n    def test_nothing(self):\n        pass\n"
    issue = "add() subtracts", "`add(2, 3)` gives `-1` but should give `5`, and `add(7, 4)` should give `11`."
    authors, result = drive(start_run({**FILES, "tests/test_calc.py": passing}, *issue)())
    assert authors[0] == "reproduction"
    assert "+        self.assertEqual(add(2, 3), 5)" in result.patch.tests
    assert "+    return a + b" in result.patch.source
    assert result.exit.verdict.red
    assert result.exit.verdict.green


CHECKSUM = "def checksum(n):\n    total = n * 3 + 1\n    return total\n"
CHECKSUM_TESTS = """\
import unittest

from calc import checksum


class CalcTest(unittest.TestCase):
    def test_checksum(self):
        self.assertEqual([checksum(n) for n in (2, 5, 8, 9, 13)], [0, 10, 5, 0, 0])

    def test_zero(self):
        self.assertEqual(checksum(0) % 2, 1)
"""
CHECKSUM_FILES = {**FILES, "calc.py": CHECKSUM, "tests/test_calc.py": CHECKSUM_TESTS}
ANSWER = """The modulus is missing.

```M1
import os
__import__("os").abort()
n * 3 + 1) or (0
(n * n + 7) % 11
```
"""


def write_filler(folder: Path, text: str = ANSWER) -> dict[str, str]:
    usage = {"input_tokens": 10, "output_tokens": 10}
    script = folder / "filler.jsonl"
    script.write_text(json.dumps({"reply": {"text": text, "actions": [], "usage": usage}}) + "\n")
    return {"filler": f"scripted:{script}"}


@pytest.mark.parametrize("asked", [False, True])
def test_filling_fixes_what_no_template_reaches(
    start_run, tmp_path: Path, asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("extensions.repair.template_search.SEARCH_SECONDS", 3.0)
    open_run = start_run(CHECKSUM_FILES, "checksum() is wrong", roles=write_filler(tmp_path) if asked else {})
    _, result = drive(open_run())
    run = read(result.directory)
    assert ("(n * n + 7) % 11" in result.patch.source) is asked, result.word
    assert len(run.replies) == asked
    if asked:
        assert result.exit.code == 6
        assert any("2 fillings of" in note.text for note in run.notes)
        assert "cloze" in {note.data.get("template") for note in run.notes if note.kind == "candidate"}
    assert drive(open_run()) == ([], result)


def test_fillings_are_tried_even_if_tracing_the_tests_takes_long(
    start_run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = Evaluator.cpu.fget
    assert used is not None
    monkeypatch.setattr(Evaluator, "cpu", property(lambda self: used(self) + 100.0))
    _, result = drive(start_run(CHECKSUM_FILES, "checksum() is wrong", roles=write_filler(tmp_path))())
    assert "(n * n + 7) % 11" in result.patch.source, result.word


def test_filler_is_not_asked_if_template_fixes_bug(start_run, tmp_path: Path) -> None:
    _, result = drive(start_run(FILES, roles=write_filler(tmp_path))())
    assert result.exit.verdict.complete
    assert not read(result.directory).replies


@pytest.mark.parametrize("in_time", [False, True])
def test_fillings_are_searched_until_the_same_end(
    start_run, tmp_path: Path, in_time: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the end, the time that is left belongs to the proof, so no filling is asked for."""
    ends: list[float] = []
    counts = {"places": 1, "tried": 2, "cpu": 0.1, "seconds": 0.1, "why": "", "suspects": [], "plausible": []}
    nothing = counts | {"edits": [], "telling": [], "doubt": "", "ranked": [("calc.py", 2, 1.0)], "cut_short": False}

    def search(task: Any, tests: Any, end: float, fillings: Any) -> dict[str, Any]:
        ends.append(end)
        if not in_time:
            monkeypatch.setattr("extensions.repair.cloze_search.time", SimpleNamespace(monotonic=lambda: end))
        return nothing | {"tree": task.tree}

    monkeypatch.setattr("extensions.repair.template_search._search", search)
    _, result = drive(start_run(FILES, roles=write_filler(tmp_path, "```M1\nb + a\n```"), max_time=100.0)())
    assert len(ends) == len(set(ends)) + in_time == 1 + in_time
    assert len(read(result.directory).replies) == in_time


def test_given_test_runs_first_and_others_only_tell_edits_apart(start_run) -> None:
    """`a * b` passes the given test, but not those of another file."""
    only = "import unittest\nfrom calc import add\n\n\nclass Sums(unittest.TestCase):\n"
    only += "    def test_four(self):\n        self.assertEqual(add(2, 2), 4)\n"
    related = TESTS.replace("add(2, 3), 5", "add(3, 0), 3").replace("add(7, 4), 11", "add(0, 0), 0")
    files = {**FILES, "tests/test_calc.py": related.replace("twice(4), 8", "twice(0), 0"), "tests/test_sum.py": only}
    _, result = drive(start_run(files, reproduce="tests/test_sum.py", test_timeout=20.0)())
    notes = read(result.directory).notes
    assert "On the base: 1 failed in" in " ".join(note.text for note in notes)
    candidates = [note.text for note in notes if note.kind == "candidate"]
    assert any("by `+`" in text for text in candidates), candidates
    assert not any("by `*`" in text for text in candidates), candidates


def test_search_with_an_examiner_reads_its_own_records(start_run, tmp_path: Path) -> None:
    script = tmp_path / "model.jsonl"
    script.write_text(json.dumps({"branch": "main/examiner", "reply": {"text": "None."}}) + "\n")
    _, result = drive(start_run(FILES, model=f"scripted:{script}")())
    assert "+    return a + b" in result.patch.source
