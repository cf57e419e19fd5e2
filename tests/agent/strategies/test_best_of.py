"""The `best-of` strategy: tests of all attempts against all patches, votes, refinement and model escalation."""

from __future__ import annotations

import re

import pytest

from agent.config.model_table import ModelTable
from tests.agent.conftest import act, line
from tests.agent.strategies.conftest import FILES, SUBMIT, RunStrategy, edit_calc, equal, new_test

pytestmark = pytest.mark.slow

WRONG = edit_calc("abs(a) + abs(b)")
RIGHT = edit_calc("a + b")
WEAK = equal("add(2, 3)", 5), equal("add(4, 4)", 8)
STRONG = equal("add(-2, 3)", 1), equal("add(2, -5)", -3)


def wrong_attempt(number: int) -> dict:
    return line("So.", new_test(f"weak{number}", *WEAK), WRONG, SUBMIT, branch=f"main/try-{number}")


def test_tests_of_all_attempts_outweigh_majority(run_strategy: RunStrategy) -> None:
    right = line("So.", new_test("strong", *WEAK, *STRONG), RIGHT, SUBMIT, branch="main/try-3")
    run = run_strategy("best-of", wrong_attempt(1), wrong_attempt(2), right)
    assert (run.kind, run.evaluate("add(-1, -2)")) == ("plausible", -3)
    assert any(note.startswith("try-2: the same patch as try-1") for note in run.notes("prune"))
    assert run.notes("score")[0].startswith("try-3: 100% of all tests pass")
    assert [note for note in run.notes("score") if note.startswith("try-1: 67% of")]
    assert not run.notes("vote")
    single_run = run_strategy("react", {**wrong_attempt(1), "branch": "main"})
    assert single_run.evaluate("add(-1, -2)") != -3


def test_selector_decides_between_contradicting_tests(run_strategy: RunStrategy) -> None:
    bad = equal("add(-1, -2)", 3), equal("add(-4, 1)", 5)
    lines = (
        line("So.", new_test("first", *WEAK, *bad), WRONG, SUBMIT, branch="main/try-1"),
        line("So.", new_test("second", *WEAK, *STRONG), RIGHT, SUBMIT, branch="main/try-2"),
    )
    undecided_run = run_strategy("best-of", *lines, attempts=2, roles={"selector": [line("Not certain.\nnone")]})
    prompt = next(step for step in undecided_run.steps if step.branch == "main/select-1").observations[0].text
    assert re.search(r"\(of A\): passes with A, fails with B \(AssertionError: -?\d != -?\d\)\.", prompt)
    assert re.search(r"\(of B\): passes with B, fails with A \(AssertionError: -?\d != -?\d\)\.", prompt)
    letter = "A" if prompt.index("+    return a + b") < prompt.index("+    return abs(a)") else "B"
    run = run_strategy("best-of", *lines, attempts=2, roles={"selector": [line(f"It keeps the sign.\n**{letter}**")]})
    assert run.notes("vote") == ["The selector chooses try-2."]
    assert (run.kind, run.evaluate("add(-1, -2)")) == ("plausible", -3)


def test_tests_of_duplicate_patches_are_used(run_strategy: RunStrategy) -> None:
    """Two attempts make the wrong patch, one of them with a strong test; the right patch comes with a weak test."""
    strong = line("So.", new_test("telling", *STRONG), WRONG, SUBMIT, branch="main/try-2")
    right = line("So.", new_test("weak3", *WEAK), RIGHT, SUBMIT, branch="main/try-3")
    run = run_strategy("best-of", wrong_attempt(1), strong, right)
    assert (run.kind, run.evaluate("add(-1, -2)")) == ("plausible", -3)


def test_undecided_patch_is_unproven(run_strategy: RunStrategy) -> None:
    bad = equal("add(-1, -2)", 3), equal("add(-4, 1)", 5)
    lines = (
        line("So.", new_test("first", *WEAK, *bad), WRONG, SUBMIT, branch="main/try-1"),
        line("So.", new_test("second", *WEAK, *STRONG), RIGHT, SUBMIT, branch="main/try-2"),
        line("I do not know."),
    )
    run = run_strategy("best-of", *lines, attempts=2, rounds=1, roles={"selector": [line("Not certain.\nnone")]})
    assert (run.kind, run.result.exit.code) == ("unproven", 6)
    assert run.result.exit.verdict.notes[0].startswith("It fails tests of another attempt that the other passes:")


def test_unproven_patch_is_refined(run_strategy: RunStrategy) -> None:
    half = line("So.", new_test("half", *WEAK, *STRONG), WRONG, SUBMIT)
    better = line(
        "Ah.", edit_calc("a + b", "abs(a) + abs(b)"), SUBMIT, contains="This is the result of an earlier attempt."
    )
    run = run_strategy("best-of", better, half, attempts=2)
    assert (run.kind, run.evaluate("add(-1, -2)")) == ("plausible", -3)
    assert run.notes("phase")[-2:] == ["refine 1", "compare 2"]
    refine_step = next(step for step in run.steps if step.branch == "main/refine-1-1" and step.author == "task")
    assert "self.assertEqual" in refine_step.observations[0].text or "abs(a)" in refine_step.observations[0].text
    assert not run_strategy("react", half).result.exit.verdict.complete


def test_expensive_model_is_used_after_cheap_one(run_strategy: RunStrategy) -> None:
    senior_reply = line("So.", new_test("strong", *WEAK, *STRONG), RIGHT, SUBMIT)
    tables = {"scripted": ModelTable(price_in=0.1, price_out=0.1)}
    run = run_strategy("best-of", line("I do not know."), roles={"senior": [senior_reply]}, attempts=2, models=tables)
    models = [reply.model for reply in run.trajectory.replies.values()]
    assert "coder" in models[0]
    assert "senior" in models[-1]
    assert run.kind == "plausible"


def test_template_is_tried_before_model(run_strategy: RunStrategy) -> None:
    failing = "import unittest\n\nfrom calc import add\n\n\nclass AddTest(unittest.TestCase):\n" + (
        f"    def test_add(self):\n        {equal('add(2, 3)', 5)}\n\n"
        f"    def test_more(self):\n        {equal('add(-7, 3)', -4)}\n        {equal('add(9, 0)', 9)}\n"
    )
    run = run_strategy(
        "best-of", files={**FILES, "tests/test_add.py": failing}, reproduce="tests/test_add.py", suite_time=20
    )
    assert (run.kind, run.result.spent.calls) == ("plausible", 0)
    assert run.evaluate("add(-1, -2)") == -3


def test_run_with_useless_model_ends(run_strategy: RunStrategy) -> None:
    run = run_strategy("best-of", line("Well.", act("shell", command="true"), usage={"input_tokens": 9}), max_steps=20)
    assert (run.kind, run.result.exit.code) == ("not_found", 1)
    assert run.result.spent.calls <= 20


def test_prompt_of_attempt_names_its_folder(run_strategy: RunStrategy) -> None:
    pwd_reply = line("Where am I?", act("shell", command="pwd"), n=1)
    run = run_strategy("best-of", pwd_reply, line("That is all."), attempts=2, rounds=1, max_steps=9)
    for branch in ("main/try-1", "main/try-2"):
        attempt_steps = [step for step in run.steps if step.branch == branch]
        folder = next(step.observations[0].text.splitlines()[0] for step in attempt_steps if step.reply == 1)
        assert f"The repository is in {folder}," in attempt_steps[0].observations[0].text


def test_summary_of_chosen_attempt_is_reported(run_strategy: RunStrategy) -> None:
    """Two attempts make the same patch: the better tested one is chosen, even if the other ends last."""
    thin = line("So.", new_test("thin", WEAK[0]), RIGHT, act("submit", summary="Thin."), branch="main/try-1")
    thick = line("So.", new_test("thick", *STRONG), new_test("more", *WEAK), RIGHT, act("submit", summary="Thick."))
    wait_reply = line("Wait.", act("shell", command="sleep 1"), branch="main/try-1", n=1)
    run = run_strategy("best-of", wait_reply, thin, {**thick, "branch": "main/try-2"}, attempts=2)
    assert run.notes("prune") == ["try-1: the same patch as try-2"]
    assert run.notes("score")[0].startswith("try-2: no other patch to compare it with, plausible, made 2 times")
    assert run.result.word == "Thick."
