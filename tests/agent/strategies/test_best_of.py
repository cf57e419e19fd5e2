"""Best of several attempts. The cases, written before the strategy:

1. Two attempts make the same wrong patch, each with a weak test; the third a right one with a test that tells. A
   majority, and the first attempt alone, would be wrong: the tests of all against the patches of all decide.
2. Tests contradict each other, as a wrong attempt brought a wrong test: a reader decides, on the issue's words.
3. Nobody is proven at first: the best goes round again, told what came of all, and is.
4. The cheap model cannot, the dear one can: it is asked second.
5. A test is given that fails: a template mends it, and no model is asked.
6. A model that is of no use: the end comes within budget, and says that nothing was found.
"""

from __future__ import annotations

import re

import pytest

from agent.config.settings import ModelTable
from tests.agent.conftest import act, line
from tests.agent.strategies.conftest import FILES, SUBMIT, Solved, equal, mend, test_of

pytestmark = pytest.mark.slow

WRONG = mend("abs(a) + abs(b)")
RIGHT = mend("a + b")
WEAK = equal("add(2, 3)", 5), equal("add(4, 4)", 8)
TELLING = equal("add(-2, 3)", 1), equal("add(2, -5)", -3)


def wrong(number: int) -> dict:
    return line("So.", test_of(f"weak{number}", *WEAK), WRONG, SUBMIT, branch=f"main/try-{number}")


def test_tests_of_all_decide_against_majority(solved: Solved) -> None:
    right = line("So.", test_of("strong", *WEAK, *TELLING), RIGHT, SUBMIT, branch="main/try-3")
    ended = solved("best-of", wrong(1), wrong(2), right)
    assert (ended.kind, ended.answer("add(-1, -2)")) == ("verified", -3)
    assert any(note.startswith("try-2: the same patch as try-1") for note in ended.notes("prune"))
    assert ended.notes("score")[0].startswith("try-3: 100% of all tests pass")
    assert [note for note in ended.notes("score") if note.startswith("try-1: 67% of")]
    assert not ended.notes("vote")
    alone = solved("react", {**wrong(1), "branch": "main"})
    assert alone.answer("add(-1, -2)") != -3


def test_reader_decides_where_tests_contradict_each_other(solved: Solved) -> None:
    bad = equal("add(-1, -2)", 3), equal("add(-4, 1)", 5)
    lines = (
        line("So.", test_of("first", *WEAK, *bad), WRONG, SUBMIT, branch="main/try-1"),
        line("So.", test_of("second", *WEAK, *TELLING), RIGHT, SUBMIT, branch="main/try-2"),
    )
    asked = solved("best-of", *lines, attempts=2, roles={"selector": [line("Who knows?\nnone")]})
    said = next(step for step in asked.steps if step.branch == "main/select-1").observations[0].text
    assert re.search(r"\(of A\): passes with A, fails with B \(AssertionError: -?\d != -?\d\)\.", said)
    assert re.search(r"\(of B\): passes with B, fails with A \(AssertionError: -?\d != -?\d\)\.", said)
    letter = "A" if said.index("+    return a + b") < said.index("+    return abs(a)") else "B"
    ended = solved("best-of", *lines, attempts=2, roles={"selector": [line(f"It keeps the sign.\n**{letter}**")]})
    assert ended.notes("vote") == ["The selector chooses try-2."]
    assert (ended.kind, ended.answer("add(-1, -2)")) == ("verified", -3)


def test_tests_of_attempt_whose_patch_another_made_too_count(solved: Solved) -> None:
    """Two make the wrong patch, and one of them has the test that tells; the right patch comes with a weak test."""
    telling = line("So.", test_of("telling", *TELLING), WRONG, SUBMIT, branch="main/try-2")
    right = line("So.", test_of("weak3", *WEAK), RIGHT, SUBMIT, branch="main/try-3")
    ended = solved("best-of", wrong(1), telling, right)
    assert (ended.kind, ended.answer("add(-1, -2)")) == ("verified", -3)


def test_what_nobody_could_decide_is_not_called_verified(solved: Solved) -> None:
    bad = equal("add(-1, -2)", 3), equal("add(-4, 1)", 5)
    lines = (
        line("So.", test_of("first", *WEAK, *bad), WRONG, SUBMIT, branch="main/try-1"),
        line("So.", test_of("second", *WEAK, *TELLING), RIGHT, SUBMIT, branch="main/try-2"),
        line("I do not know."),
    )
    ended = solved("best-of", *lines, attempts=2, rounds=1, roles={"selector": [line("Who knows?\nnone")]})
    assert (ended.kind, ended.result.exit.code) == ("unproven", 6)
    assert ended.result.exit.verdict.notes[0].startswith("It fails tests of another attempt that the other passes:")


def test_what_is_not_proven_goes_round_again(solved: Solved) -> None:
    half = line("So.", test_of("half", *WEAK, *TELLING), WRONG, SUBMIT)
    better = line("Ah.", mend("a + b", "abs(a) + abs(b)"), SUBMIT, contains="This is the result of an earlier attempt.")
    ended = solved("best-of", better, half, attempts=2)
    assert (ended.kind, ended.answer("add(-1, -2)")) == ("verified", -3)
    assert ended.notes("phase")[-2:] == ["refine 1", "compare 2"]
    told = next(step for step in ended.steps if step.branch == "main/refine-1-1" and step.author == "task")
    assert "self.assertEqual" in told.observations[0].text or "abs(a)" in told.observations[0].text
    assert solved("react", half).kind != "verified"


def test_dear_model_is_asked_after_cheap_one(solved: Solved) -> None:
    able = line("So.", test_of("strong", *WEAK, *TELLING), RIGHT, SUBMIT)
    tables = {"scripted": ModelTable(price_in=0.1, price_out=0.1)}
    ended = solved("best-of", line("I do not know."), roles={"senior": [able]}, attempts=2, models=tables)
    models = [reply.model for reply in ended.trajectory.replies.values()]
    assert "coder" in models[0]
    assert "senior" in models[-1]
    assert ended.kind == "verified"


def test_template_is_tried_before_any_model(solved: Solved) -> None:
    failing = "import unittest\n\nfrom calc import add\n\n\nclass AddTest(unittest.TestCase):\n" + (
        f"    def test_add(self):\n        {equal('add(2, 3)', 5)}\n\n"
        f"    def test_more(self):\n        {equal('add(-7, 3)', -4)}\n        {equal('add(9, 0)', 9)}\n"
    )
    ended = solved(
        "best-of", files={**FILES, "tests/test_add.py": failing}, reproduce="tests/test_add.py", suite_time=20
    )
    assert (ended.kind, ended.result.spent.calls) == ("verified", 0)
    assert ended.answer("add(-1, -2)") == -3


def test_useless_model_comes_to_end(solved: Solved) -> None:
    ended = solved("best-of", line("Well.", act("shell", command="true"), usage={"input_tokens": 9}), max_steps=20)
    assert (ended.kind, ended.result.exit.code) == ("not_found", 1)
    assert ended.result.spent.calls <= 20


def test_attempt_is_told_its_own_folder(solved: Solved) -> None:
    looks = line("Where am I?", act("shell", command="pwd"), n=1)
    ended = solved("best-of", looks, line("That is all."), attempts=2, rounds=1, max_steps=9)
    for branch in ("main/try-1", "main/try-2"):
        own = [step for step in ended.steps if step.branch == branch]
        folder = next(step.observations[0].text.splitlines()[0] for step in own if step.reply == 1)
        assert f"The repository is in {folder}," in own[0].observations[0].text


def test_words_of_attempt_that_was_taken_are_told(solved: Solved) -> None:
    """Two make the same patch: the better tested one is taken, also where another ends last."""
    thin = line("So.", test_of("thin", WEAK[0]), RIGHT, act("submit", summary="Thin."), branch="main/try-1")
    thick = line("So.", test_of("thick", *TELLING), test_of("more", *WEAK), RIGHT, act("submit", summary="Thick."))
    waits = line("Wait.", act("shell", command="sleep 1"), branch="main/try-1", n=1)
    ended = solved("best-of", waits, thin, {**thick, "branch": "main/try-2"}, attempts=2)
    assert ended.notes("prune") == ["try-1: the same patch as try-2"]
    assert ended.notes("score")[0].startswith("try-2: no other patch to compare it with, verified, made 2 times")
    assert ended.result.word == "Thick."
