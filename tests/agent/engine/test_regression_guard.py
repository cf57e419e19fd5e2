"""Regression guard: reports broken tests at once, resets repeated damage, and behaves the same after a resume."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.conversation.messages import BranchConversation, ModelRequest
from agent.conversation.model_requests import build_request, system_prompt
from agent.engine.loop import loop
from agent.engine.task import Task
from tests.agent.conftest import Bench, act, line
from tests.conftest import copy_run
from tests.sampling import sample
from trajectories.journal import read
from trajectories.records import Once, Step

pytestmark = pytest.mark.slow

FILES = {
    "calc/__init__.py": "from calc.core import add\n",
    "calc/core.py": "from calc.text import shout\n\n\ndef add(a, b):\n    return a - b\n",
    "calc/text.py": "def shout(word):\n    return word.upper()\n",
    "calc/odd.py": "import nowhere\n",
    "tests/__init__.py": "",
    "tests/test_text.py": (
        "import unittest\n\nfrom calc.text import shout\n\n\nclass TextTest(unittest.TestCase):\n"
        '    def test_loud(self):\n        self.assertEqual(shout("a"), "A")\n\n'
        '    def test_still(self):\n        self.assertEqual(shout("!"), "!")\n'
    ),
    ".gitignore": "__pycache__/\n",
}
TESTS = act("run_tests", nodes=["tests.test_text"])
LOWER = act("edit", path="calc/text.py", old="upper()", new="lower()")
MUTE = act("edit", path="calc/text.py", old="return word.lower()", new="return None")
NO_SHOUT = act("edit", path="calc/text.py", old="def shout", new="def whisper")
RIGHT = act("edit", path="calc/core.py", old="a - b", new="a + b")
SUBMIT = act("submit")


@pytest.fixture
def bench(tmp_path: Path, make_repo: Callable[..., Path]) -> Bench:
    return Bench(tmp_path, make_repo(FILES))


def start_run(bench: Bench, *lines: dict) -> None:
    bench.begin(*lines, test=f"{shlex.quote(sys.executable)} -m unittest discover -s tests -t .")


def plain_strategy(task: Task):
    yield task.say("Fix it.")
    yield from loop(task.branch)
    return task.best()


def guard_messages(steps: list[Step], author: str = "safety") -> list[str]:
    return [step.observations[0].text for step in steps if step.author == author]


def sent_messages(bench: Bench) -> list[list[str]]:
    """Rebuild the messages of each request of the main branch from the records."""
    engine = bench.engine()
    try:
        return [
            [str(message["content"]) for message in _request(engine, ask).messages]
            for _, ask in sorted(engine.trajectory.replies)
        ]
    finally:
        engine.close()


def _request(engine, ask: int) -> ModelRequest:
    steps = engine.trajectory.steps["main"]
    before = steps[: next(at for at, step in enumerate(steps) if step.reply == ask)]
    system = system_prompt(engine.run.prompts, "coder")
    conversation = BranchConversation()
    return build_request(conversation, engine.trajectory, "main", ask, system, before, engine.models.of_role("coder"))


def test_lost_test_is_named_and_undo_restores_it(bench):
    start_run(
        bench,
        line("Look.", TESTS, n=1),
        line("Change.", LOWER, TESTS, n=2),
        line("Oh.", act("undo"), n=3, contains="tests.test_text.TextTest.test_loud"),
        line("Right.", RIGHT, TESTS, SUBMIT, n=4),
    )
    steps, _ = bench.drive(plain_strategy)
    assert [step.author for step in steps] == ["task", "coder", "coder", "safety", "coder", "coder"]
    message = guard_messages(steps)[0]
    assert message.startswith("This step caused a regression: No longer passing: tests.test_text.")
    assert "test_still" not in message
    assert "revert it" in message
    assert steps[4].tree == steps[1].tree
    last = sent_messages(bench)[-1]
    assert "lower" not in "".join(last[3:4] + last[5:])
    assert last[4].startswith("[Your attempts here were reverted and are omitted: edit calc/text.py; run_tests ")
    assert "1 failed, 1 passed" in last[4]
    assert "No longer passing" in last[4]
    assert last[5] == "Oh."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (NO_SHOUT, "calc can no longer be loaded (ImportError: cannot import name 'shout'"),
        (act("shell", command="git rm -q calc/text.py"), "calc can no longer be loaded (ModuleNotFoundError"),
        (act("shell", command="echo 'def (' > calc/core.py"), "calc can no longer be loaded (SyntaxError"),
    ],
)
def test_broken_import_is_reported(bench, change, message):
    start_run(bench, line("Change.", change, n=1), line("So be it.", SUBMIT, n=2, contains=message))
    steps, _ = bench.drive(plain_strategy)
    assert len(guard_messages(steps)) == 1


def test_files_broken_before_and_scripts_are_not_reported(bench):
    script = act("edit", path="script.py", old="", new="open('ran', 'w').close()\nraise SystemExit(1)\n")
    start_run(
        bench,
        line("Odd.", act("shell", command="echo 'x = 1' >> calc/odd.py"), script, n=1),
        line("Again.", act("shell", command="echo 'y = 1' >> calc/odd.py"), n=2),
        line("A new one.", act("edit", path="calc/new.py", old="", new="import nowhere\n"), n=3),
        line("Right.", RIGHT, SUBMIT, n=4),
    )
    steps, outcome = bench.drive(plain_strategy)
    assert guard_messages(steps) == []
    engine = bench.engine()
    assert "ran" not in engine.trees.files(outcome.tree)
    engine.close()
    never = [record.value["never"] for record in read(bench.directory).records if isinstance(record, Once)]
    assert never == [["calc.odd"], [], ["calc.new"]]


def test_skipped_test_is_reported_and_new_failing_test_is_not(bench):
    new = "import unittest\n\n\nclass NewTest(unittest.TestCase):\n    def test_new(self):\n        assert {}\n"
    skip = act(
        "edit", path="tests/test_text.py", old="    def test_loud", new="    @unittest.skip('')\n    def test_loud"
    )
    start_run(
        bench,
        line("New.", act("edit", path="tests/test_new.py", old="", new=new.format("True")), act("run_tests"), n=1),
        line("Red.", act("edit", path="tests/test_new.py", old="True", new="1 > 2"), act("run_tests"), n=2),
        line("Skip.", skip, act("run_tests"), n=3),
        line("Right.", RIGHT, SUBMIT, n=4, contains="No longer passing: tests.test_text.TextTest.test_loud."),
    )
    steps, _ = bench.drive(plain_strategy)
    assert len(guard_messages(steps)) == 1, "a new test that its author changes may turn red"


def start_worsening_run(bench: Bench) -> None:
    start_run(
        bench,
        line("Look.", TESTS, n=1),
        line("One.", LOWER, TESTS, n=2),
        line("Two.", MUTE, TESTS, n=3, contains="test_loud"),
        line("Three.", NO_SHOUT, n=4, contains="test_still"),
        line("Another way.", RIGHT, TESTS, n=5, contains="reset to the state before"),
        line("Done.", SUBMIT, n=6),
    )


def test_three_worsening_steps_are_reverted(bench):
    start_worsening_run(bench)
    steps, outcome = bench.drive(plain_strategy)
    authors = ["task", "coder", "coder", "safety", "coder", "safety", "coder", "safety", "coder", "coder"]
    assert [step.author for step in steps] == authors
    assert steps[7].tree == steps[1].tree == steps[0].tree
    assert "cannot import name 'shout'" in guard_messages(steps)[2]
    last = sent_messages(bench)[-2]
    assert [text[:24] for text in last[3:]] == [
        steps[1].observations[0].text[:24],
        "[Your attempts here were",
        guard_messages(steps)[2][:24],
    ]
    engine = bench.engine()
    assert engine.trees.read(outcome.tree, "calc/text.py") == FILES["calc/text.py"].encode()
    engine.close()


def test_fixed_regression_does_not_count(bench):
    back = act("edit", path="calc/text.py", old="lower()", new="upper()")
    again = [line("Again.", LOWER, TESTS, n=n) for n in (2, 4, 6)]
    fixes = [line("Fix.", back, TESTS, n=n) for n in (3, 5)]
    start_run(bench, line("Look.", TESTS, n=1), *again, *fixes, line("So be it.", RIGHT, SUBMIT, n=7))
    steps, _ = bench.drive(plain_strategy)
    assert len(guard_messages(steps)) == 3
    assert not any("back_to" in step.observations[0].data for step in steps if step.author == "safety")


def test_run_killed_at_any_record_ends_the_same(bench):
    start_worsening_run(bench)
    steps, outcome = bench.drive(plain_strategy)
    requests = sent_messages(bench)
    lines = (bench.directory / "journal.jsonl").read_bytes().splitlines(keepends=True)
    original = bench.directory
    for length in sample(list(range(3, len(lines))), 4):
        bench.directory = original.parent / f"cut-{length}"
        copy_run(original, bench.directory, b"".join(lines[:length]))
        resumed, ended = bench.drive(plain_strategy)
        assert ended == outcome
        assert [step.author for step in resumed if step.author != "resume"] == [step.author for step in steps]
        assert [_tree_and_text(step) for step in resumed if step.author == "safety"] == [
            _tree_and_text(step) for step in steps if step.author == "safety"
        ]
        assert len(sent_messages(bench)) == len(requests)
        shutil.rmtree(bench.directory)


def _tree_and_text(step: Step) -> tuple[str, str]:
    return step.tree, step.observations[0].text
