"""Lessons in words: written after a run in one repository, shown where a run in another one chooses, and scored."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agent.config.settings import load_settings
from agent.lifecycle.run_lifecycle import reopen
from extensions.memory.experience_bank import Bank
from extensions.memory.lesson_prompt import HEAD
from extensions.memory.lesson_search import lesson_scores
from tests.agent.conftest import act, line
from tests.agent.strategies.conftest import SUBMIT, FinishedRun, RunStrategy, edit_calc, equal, finish_run, new_test
from tests.conftest import copy_run
from tests.extensions.papers.test_tree import BACKTRACK_TEXT
from tests.sampling import sample
from trajectories.journal import read
from trajectories.records import Exit

pytestmark = pytest.mark.slow

KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"
OTHER = {
    "ledger.py": "def balance(a, b):\n    return a - b\n",
    "tests/__init__.py": "",
    "tests/test_zero.py": "import unittest\n\nfrom ledger import balance\n\n\nclass ZeroTest(unittest.TestCase):\n"
    "    def test_zero(self):\n        self.assertEqual(balance(1, 0), 1)\n",
    ".gitignore": "__pycache__/\n",
}
OTHER_TEST = act(
    "edit",
    path="tests/test_sum.py",
    old="",
    new=OTHER["tests/test_zero.py"].replace("ZeroTest", "SumTest").replace("test_zero", "test_sum")
    + "        self.assertEqual(balance(2, 3), 5)\n        self.assertEqual(balance(-7, 2), -5)\n",
)
OTHER_FIX = act("edit", path="ledger.py", old="a - b", new="a + b")
ADVICE = "Keep the sign of each operand."
LESSON = f"**Cause:** Operands are combined with the wrong sign ({KEY}).\nApproach: {ADVICE}\nMisled: nothing"
WRONG, RIGHT = edit_calc("abs(a) + abs(b)"), edit_calc("a + b")
WEAK, STRONG = (equal("add(2, 3)", 5), equal("add(4, 4)", 8)), (equal("add(-2, 3)", 1), equal("add(2, -5)", -3))
BAD = equal("add(-1, -2)", 3), equal("add(-4, 1)", 5)
CANDIDATES = (
    line("So.", new_test("first", *WEAK, *BAD), WRONG, SUBMIT, branch="main/try-1"),
    line("So.", new_test("second", *WEAK, *STRONG), RIGHT, SUBMIT, branch="main/try-2"),
)


def teach(run_strategy: RunStrategy) -> FinishedRun:
    """A run in another repository whose lesson is written."""
    return run_strategy(
        "react",
        line("So.", OTHER_TEST, OTHER_FIX, SUBMIT),
        files=OTHER,
        issue="balance() subtracts\n\nbalance(2, 3) gives -1.",
        roles={"lesson_writer": [line(LESSON, branch="main/lesson_writer")]},
    )


def experience(run: FinishedRun) -> Path:
    return run.result.directory.parents[1] / "experience"


def entries(run: FinishedRun) -> list:
    banks = (Bank(folder) for folder in experience(run).iterdir() if folder.name != "lesson-uses")
    return [entry for bank in banks for entry in bank.entries()]


def choose(run_strategy: RunStrategy) -> FinishedRun:
    """A run whose selector takes the wrong patch (B), or with the advice the right one."""
    selector = [line("As was learned.\nA", contains=ADVICE), line("Its tests pass.\nB")]
    return run_strategy("best-of", *CANDIDATES, attempts=2, roles={"selector": selector})


def selection_prompt(run: FinishedRun) -> str:
    return next(step for step in run.steps if step.branch == "main/select-1").observations[0].text


@pytest.mark.timeout(300)
def test_selector_takes_right_patch_only_with_lesson_of_another_repository(run_strategy: RunStrategy) -> None:
    without = choose(run_strategy)
    prompt = selection_prompt(without)
    assert prompt.index("+    return a + b") < prompt.index("+    return abs(a)"), "the shorter patch is A"
    assert HEAD not in prompt
    assert without.evaluate("add(-1, -2)") == 3
    shutil.rmtree(experience(without), ignore_errors=True)

    taught = teach(run_strategy)
    (entry,) = entries(taught)
    assert (entry.approach, entry.misled) == (ADVICE, "")
    assert entry.cause.startswith("Operands are combined with the wrong sign")
    assert KEY not in next(experience(taught).glob("*/worked/*")).read_text()

    run = choose(run_strategy)
    assert (run.kind, run.evaluate("add(-1, -2)")) == ("plausible", -3)
    prompt = selection_prompt(run)
    assert f'<lesson run="{entry.run}" repository="another" outcome="plausible"' in prompt
    assert "ledger" not in prompt, "neither places nor code of another repository are shown"
    [(key, score)] = lesson_scores(experience(run)).items()
    assert (key.rpartition("/")[2], score) == (entry.id, (0.65, 1))


@pytest.mark.timeout(300)
def test_tree_expands_right_step_only_with_lesson(run_strategy: RunStrategy) -> None:
    wrong = line("So.", new_test("signs", *STRONG), WRONG, SUBMIT, branch="main", n=1)
    right = line("The sign.", new_test("strong", *STRONG), RIGHT, SUBMIT, branch="main", contains=ADVICE)
    again = [
        line(f"Again {n}.", act("edit", path=f"N{n}.md", old="", new="x\n"), branch="main", n=n) for n in range(2, 9)
    ]
    script = wrong, right, *again
    critic = {"critic": [line("Hm.\n0.1")]}
    without = run_strategy("tree", *script, attempts=2, roles=critic)
    assert not without.result.exit.verdict.complete
    assert any(BACKTRACK_TEXT in step.observations[0].text for step in without.steps if step.author == "search")
    shutil.rmtree(experience(without), ignore_errors=True)
    teach(run_strategy)
    run = run_strategy("tree", *script, attempts=2, roles=critic)
    assert (run.kind, run.evaluate("add(-1, -2)")) == ("plausible", -3)


@pytest.mark.timeout(600)
def test_killed_run_writes_lesson_and_score_once(run_strategy: RunStrategy) -> None:
    """The run is interrupted before its exit, after its lesson, use and entry were written, and before the lesson."""
    teach(run_strategy)
    right = line("So.", new_test("strong", *WEAK, *STRONG), RIGHT, SUBMIT)
    selector, writer = [line("None.\nnone")], [line(LESSON, branch="main/lesson_writer")]
    weak = line("So.", new_test("first", *WEAK, *BAD), WRONG, SUBMIT, branch="main/try-1")
    run = run_strategy(
        "best-of", weak, right, attempts=2, rounds=1, roles={"selector": selector, "lesson_writer": writer}
    )
    lines = (run.result.directory / "journal.jsonl").read_bytes().splitlines(keepends=True)
    scores, taught = lesson_scores(experience(run)), entries(run)
    assert isinstance(read(run.result.directory).records[-1], Exit)
    assert scores, "the selector was shown the lesson"
    for count in sample([len(lines) - back for back in range(1, 9)], 2):
        copy = run.result.directory.with_name(f"cut-{count}")
        copy_run(run.result.directory, copy, b"".join(lines[:count]))
        resumed = finish_run(reopen(copy, load_settings(state=run.result.directory.parents[1]).state))
        assert (resumed.kind, resumed.result.patch.diff) == (run.kind, run.result.patch.diff)
        assert sorted(resumed.trajectory.replies) == sorted(run.trajectory.replies), (
            "a request was repeated or left out"
        )
        assert lesson_scores(experience(run)) == scores
        assert [(each.id, each.cause) for each in entries(run)] == [(each.id, each.cause) for each in taught]
