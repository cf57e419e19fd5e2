"""The `converse` strategy: feedback from failures, partial fixes, explanation first, a second opinion."""

from __future__ import annotations

import pytest

from tests.agent.conftest import act, line
from tests.agent.strategies.conftest import CALC, FILES, SUBMIT, RunStrategy, edit_calc, equal, new_test

pytestmark = pytest.mark.slow

EXPLANATION = line("add() takes the second from the first.", n=1, branch="main")
TEST = new_test("signs", equal("add(2, 3)", 5), equal("add(-2, 3)", 1))


def test_failure_is_fed_back_to_next_patch(run_strategy: RunStrategy) -> None:
    wrong = line("So.", TEST, edit_calc("abs(a) + abs(b)"), SUBMIT, n=2)
    right = line("Ah.", TEST, edit_calc("a + b"), SUBMIT, n=3, contains="+    return abs(a) + abs(b)")
    run = run_strategy("converse", EXPLANATION, wrong, right, attempts=1)
    assert (run.kind, run.evaluate("add(-1, -2)")) == ("plausible", -3)
    assert run.notes("phase") == ["understand", "patch 1", "patch 2"]
    feedback = next(step for step in run.steps if step.author == "feedback").observations[0].text
    assert "it passes with the patch: NO" in feedback
    assert not run_strategy("react", {**wrong, "n": 1}).result.exit.verdict.complete


def test_partial_fix_is_kept(run_strategy: RunStrategy) -> None:
    files = {**FILES, "calc.py": CALC.replace("a * 2", "a + 2")}
    files["tests/test_calc.py"] = FILES["tests/test_calc.py"].replace("twice\n", "add, twice\n") + (
        "\n    def test_add(self):\n        self.assertEqual(add(2, 3), 5)\n"
        "\n    def test_name(self):\n        self.assertEqual(add.__name__, 'add')\n"
    )
    first = line("So.", edit_calc("a + b"), SUBMIT, n=2)
    second = line("And this.", edit_calc("a * 2", "a + 2"), SUBMIT, n=3, contains="patch-1 is a partial fix")
    issue = "add() and twice() are wrong\n\ntest_add and test_twice fail."
    run = run_strategy(
        "converse", EXPLANATION, first, second, files=files, issue=issue, reproduce="tests/test_calc.py", attempts=1
    )
    assert (run.kind, run.evaluate("add(1, 2)"), run.evaluate("twice(5)")) == ("verified", 3, 10)


TWO_CASES = """\
import unittest

from calc import add, twice


class BothTest(unittest.TestCase):
    def test_add(self):
        self.assertEqual(add(2, 3), 5)

    def test_twice(self):
        self.assertEqual(twice(5), 10)

    def test_name(self):
        self.assertEqual(add.__name__, "add")
"""
BOTH = "add() and twice() are wrong\n\nadd(2, 3) gives -1 instead of 5. twice(5) gives 7 instead of 10."


FAULTY = {
    **FILES,
    "calc.py": CALC.replace("a * 2", "a + 2"),
    "tests/test_calc.py": FILES["tests/test_calc.py"].replace("twice(4), 8", "twice(2), 4"),
}


@pytest.mark.parametrize("place", ["new file", "new file that cannot be imported before"])
def test_partial_fix_is_kept_without_a_given_test(run_strategy: RunStrategy, place: str) -> None:
    edits, fixed, every = [edit_calc("a + b")], 1, 2
    if place == "new file":
        edits.append(act("edit", path="tests/test_both.py", old="", new=TWO_CASES))
    else:
        tests = TWO_CASES.replace("add, twice", "MOST, add, twice").replace('add.__name__, "add"', "MOST, 9")
        edits.append(act("edit", path="tests/test_both.py", old="", new=tests))
        edits.append(act("edit", path="calc.py", old="def twice", new="MOST = 9\n\n\ndef twice"))
        fixed, every = 2, 3
    first = line("So.", *edits, SUBMIT, n=2)
    second = line("And this.", edit_calc("a * 2", "a + 2"), SUBMIT, n=3, contains="patch-1 is a partial fix")
    run = run_strategy("converse", EXPLANATION, first, second, files=FAULTY, issue=BOTH, attempts=1)
    assert run.notes("score") == [f"patch-1 fixes {fixed} of {every} tests"]
    assert (run.kind, run.evaluate("add(1, 2)"), run.evaluate("twice(5)")) == ("plausible", 3, 10)


@pytest.mark.parametrize("fault", ["breaks", "fixes nothing"])
def test_patch_that_is_no_partial_fix_is_not_kept(run_strategy: RunStrategy, fault: str) -> None:
    tests = act("edit", path="tests/test_both.py", old="", new=TWO_CASES)
    edits = {
        "breaks": [
            edit_calc("a + b"),
            act("edit", path="calc.py", old="def twice", new="add.__name__ = ''\n\n\ndef twice"),
        ],
        "fixes nothing": [edit_calc("b - a")],
    }[fault]
    first = line("So.", tests, *edits, SUBMIT, n=2)
    second = line("And.", tests, edit_calc("a + b"), edit_calc("a * 2", "a + 2"), SUBMIT, n=3)
    run = run_strategy("converse", EXPLANATION, first, second, files=FAULTY, issue=BOTH, attempts=1)
    assert run.notes("score") == []
    assert run.kind == "plausible"


def test_edit_before_explanation_is_refused(run_strategy: RunStrategy) -> None:
    early = line("At once.", edit_calc("a + b"), n=1)
    explanation = line("It subtracts.", n=2)
    right = line("Now.", TEST, edit_calc("a + b"), SUBMIT, n=3)
    run = run_strategy("converse", early, explanation, right, attempts=1)
    assert run.kind == "plausible"
    first = next(step for step in run.steps if step.reply == 1)
    assert "until you have explained the fault in words" in first.observations[0].text


def test_passing_patch_is_compared_with_another(run_strategy: RunStrategy) -> None:
    weak = line(
        "So.",
        new_test("weak", equal("add(2, 3)", 5), equal("add(1, 1)", 2)),
        edit_calc("abs(a) + abs(b)"),
        SUBMIT,
        n=2,
        branch="main",
    )
    other = line("Signs count.", TEST, edit_calc("a + b"), SUBMIT, branch="main/another", contains="passes its tests")
    run = run_strategy("converse", EXPLANATION, weak, other, attempts=2)
    assert (run.kind, run.evaluate("add(-1, -2)")) == ("plausible", -3)
    assert run.notes("score")[0].startswith("another: 100%")


def test_run_with_useless_model_ends(run_strategy: RunStrategy) -> None:
    run = run_strategy("converse", line("Well."), max_steps=20)
    assert run.result.exit.code == 1
    assert run.result.spent.calls <= 20


def test_correct_patch_is_kept_without_second_patch(run_strategy: RunStrategy) -> None:
    right = line("So.", TEST, edit_calc("a + b"), SUBMIT, n=2, branch="main")
    run = run_strategy("converse", EXPLANATION, right, line("It is right as it is.", branch="main/another"), attempts=2)
    assert (run.kind, run.evaluate("add(-1, -2)"), run.result.spent.calls) == ("plausible", -3, 3)
    other = [
        observation.text for step in run.steps if step.branch == "main/another" for observation in step.observations
    ]
    assert other[0] == "The files are in their state before any patch."
    assert "+        self.assertEqual(add(-2, 3), 1)" in other[1]
