"""Conversation with failures. The cases, written before the strategy:

1. The first patch is wrong; the second is right because the failure and the wrong patch are told (the script answers
   with it only then).
2. Of two failing tests the first patch mends one: it stays, and the second patch mends the rest; begun anew, it
   would not.
3. While the model is to understand, an edit is refused.
4. A patch that passes is compared with another, whose tests show that it is wrong.
5. A model that is of no use.
"""

from __future__ import annotations

import pytest

from tests.agent.conftest import line
from tests.agent.strategies.conftest import CALC, FILES, SUBMIT, Solved, equal, mend, test_of

pytestmark = pytest.mark.slow

UNDERSTOOD = line("add() takes the second from the first.", n=1, branch="main")
TEST = test_of("signs", equal("add(2, 3)", 5), equal("add(-2, 3)", 1))


def test_what_failed_leads_to_next_patch(solved: Solved) -> None:
    wrong = line("So.", TEST, mend("abs(a) + abs(b)"), SUBMIT, n=2)
    right = line("Ah.", TEST, mend("a + b"), SUBMIT, n=3, contains="+    return abs(a) + abs(b)")
    ended = solved("converse", UNDERSTOOD, wrong, right, attempts=1)
    assert (ended.kind, ended.answer("add(-1, -2)")) == ("verified", -3)
    assert ended.notes("phase") == ["understand", "patch 1", "patch 2"]
    told = next(step for step in ended.steps if step.author == "feedback").observations[0].text
    assert "it passes with the patch: NO" in told
    assert solved("react", {**wrong, "n": 1}).kind != "verified"


def test_what_helps_part_of_way_stays(solved: Solved) -> None:
    files = {**FILES, "calc.py": CALC.replace("a * 2", "a + 2")}
    files["tests/test_calc.py"] = FILES["tests/test_calc.py"].replace("twice\n", "add, twice\n") + (
        "\n    def test_add(self):\n        self.assertEqual(add(2, 3), 5)\n"
    )
    first = line("So.", mend("a + b"), SUBMIT, n=2)
    second = line("And this.", mend("a * 2", "a + 2"), SUBMIT, n=3, contains="patch-1 is a partial fix")
    issue = "add() and twice() are wrong\n\ntest_add and test_twice fail."
    ended = solved(
        "converse", UNDERSTOOD, first, second, files=files, issue=issue, reproduce="tests/test_calc.py", attempts=1
    )
    assert (ended.kind, ended.answer("add(1, 2)"), ended.answer("twice(5)")) == ("verified", 3, 10)


def test_nothing_is_changed_before_it_is_understood(solved: Solved) -> None:
    early = line("At once.", mend("a + b"), n=1)
    words = line("It subtracts.", n=2)
    right = line("Now.", TEST, mend("a + b"), SUBMIT, n=3)
    ended = solved("converse", early, words, right, attempts=1)
    assert ended.kind == "verified"
    first = next(step for step in ended.steps if step.reply == 1)
    assert "until you have explained the fault in words" in first.observations[0].text


def test_patch_that_passes_is_compared_with_another(solved: Solved) -> None:
    weak = line(
        "So.",
        test_of("weak", equal("add(2, 3)", 5), equal("add(1, 1)", 2)),
        mend("abs(a) + abs(b)"),
        SUBMIT,
        n=2,
        branch="main",
    )
    other = line("Signs count.", TEST, mend("a + b"), SUBMIT, branch="main/another", contains="passes its tests")
    ended = solved("converse", UNDERSTOOD, weak, other, attempts=2)
    assert (ended.kind, ended.answer("add(-1, -2)")) == ("verified", -3)
    assert ended.notes("score")[0].startswith("another: 100%")


def test_useless_model_comes_to_end(solved: Solved) -> None:
    ended = solved("converse", line("Well."), max_steps=20)
    assert ended.result.exit.code == 1
    assert ended.result.spent.calls <= 20


def test_patch_that_is_right_need_not_be_made_again(solved: Solved) -> None:
    right = line("So.", TEST, mend("a + b"), SUBMIT, n=2, branch="main")
    ended = solved("converse", UNDERSTOOD, right, line("It is right as it is.", branch="main/another"), attempts=2)
    assert (ended.kind, ended.answer("add(-1, -2)"), ended.result.spent.calls) == ("verified", -3, 3)
    other = [seen.text for step in ended.steps if step.branch == "main/another" for seen in step.observations]
    assert other[0] == "The files are in their state before any patch."
    assert "+        self.assertEqual(add(-2, 3), 1)" in other[1]
