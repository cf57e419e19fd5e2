"""Submissions without a test that could reproduce the issue are sent back once, before any suite runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agent.conftest import act, line
from tests.agent.strategies.conftest import FILES, ISSUE, SUBMIT, FinishedRun, RunStrategy, edit_calc, equal, new_test
from trajectories.records import Step

FIX = edit_calc("a + b")
TEST = new_test("add", equal("add(2, 3)", 5), equal("add(-2, 3)", 1))
ADDED = "adds no test"
AGAIN = line("No test is needed.", SUBMIT, contains=ADDED), line("It is right.", SUBMIT, contains="Proof: unproven")
NO_PROOF = '[phase.fix]\nasks = "work"\nprompt = "Fix it."\n'


def refused(run: FinishedRun) -> list[Step]:
    return [step for step in run.steps if any("untested" in seen.data for seen in step.observations)]


def submitted(run: FinishedRun) -> list[Step]:
    return [step for step in run.steps if any(seen.data.get("submitted") for seen in step.observations)]


@pytest.mark.slow
def test_test_that_is_added_after_refusal_verifies_patch(run_strategy: RunStrategy) -> None:
    run = run_strategy("react", line("Fixed.", FIX, SUBMIT, n=1), line("Right.", TEST, SUBMIT, contains=ADDED))
    assert run.kind == "plausible"
    assert [step.author for step in run.steps] == ["task", "coder", "coder", "proof"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "strategy",
    ["react", "test-then-patch", "best-of", "evolve", "tree", "debate", "converse", "recall", "team", "search-api"],
)
def test_submission_without_test_is_sent_back_once(run_strategy: RunStrategy, strategy: str) -> None:
    looks = [
        line("It subtracts.", contains=words) for words in ("not change anything yet", "Nothing can be changed yet")
    ]
    run = run_strategy(strategy, *AGAIN, *looks, line("Fixed.\nyes", FIX, SUBMIT), attempts=1, rounds=1, max_steps=30)
    assert len(refused(run)) == 1
    assert len(submitted(run)) >= 1
    proof = next(step for step in run.steps if step.author == "proof")
    assert run.steps.index(refused(run)[0]) < run.steps.index(submitted(run)[0]) < run.steps.index(proof)
    assert (run.kind, run.evaluate("add(2, 3)")) == ("unproven", 5)


@pytest.mark.slow
def test_block_of_code_without_test_is_sent_back_once(run_strategy: RunStrategy) -> None:
    fix = "```bash\nsed -i 's/a - b/a + b/' calc.py\n```"
    submit = "```submit\nIt adds now.\n```"
    run = run_strategy("code-act", line(fix, n=1), line(submit), rounds=1)
    assert (len(refused(run)), len(submitted(run)), run.kind) == (1, 1, "unproven")


@pytest.mark.slow
def test_failing_test_of_base_that_was_seen_needs_no_new_test(run_strategy: RunStrategy) -> None:
    failing = new_test("add", equal("add(2, 3)", 5))["arguments"]
    files = {"calc.py": "def add(a, b):\n    return a - b\n", "tests/__init__.py": "", failing["path"]: failing["new"]}
    lines = line("See.", act("run_tests"), n=1), line("Fixed.", FIX, SUBMIT, n=2)
    run = run_strategy("react", *lines, files=files, issue=f"{ISSUE} test_add shows it.")
    assert (refused(run), run.kind) == ([], "unproven")  # no test passed before
    assert run.result.exit.verdict.green


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["best-of", "search-api"])
def test_failing_test_that_strategy_has_found_needs_no_new_test(run_strategy: RunStrategy, strategy: str) -> None:
    """`best-of` runs a test that the issue names, `search-api` traces failing tests."""
    letters = "import unittest\n\nfrom calc import letters\n\n\nclass T(unittest.TestCase):\n"
    letters += '    def test_letters(self):\n        self.assertEqual(letters("banana"), "abn")\n'
    files = {**FILES, "calc.py": "def twice(a):\n    return a * 2\n\n\ndef letters(a):\n    return a\n"}
    fix = act("edit", path="calc.py", old="    return a\n", new='    return "".join(sorted(set(a)))\n')
    looks = line("It keeps all letters.", contains="not change anything yet")
    run = run_strategy(
        *(strategy, looks, line("Fixed.", fix, SUBMIT)),
        files={**files, "tests/test_letters.py": letters},
        issue="letters() repeats letters\n\ntest_letters fails.",
        attempts=1,
    )
    assert (refused(run), len(submitted(run)), run.kind) == ([], 1, "verified")


@pytest.mark.slow
def test_given_test_needs_no_new_test(run_strategy: RunStrategy) -> None:
    path = TEST["arguments"]["path"]
    files = {**FILES, path: TEST["arguments"]["new"]}
    run = run_strategy("react", line("Fixed.", FIX, SUBMIT), files=files, reproduce=path)
    assert (refused(run), run.kind) == ([], "verified")


@pytest.mark.slow
def test_submission_in_last_step_is_accepted(run_strategy: RunStrategy) -> None:
    run = run_strategy("react", line("Fixed.", FIX, SUBMIT), max_steps=1)
    assert (refused(run), len(submitted(run)), run.kind) == ([], 1, "unproven")


@pytest.mark.slow
def test_graph_without_proof_needs_no_test(run_strategy: RunStrategy, tmp_path: Path) -> None:
    (tmp_path / "recall.graph.txt").write_text(NO_PROOF)
    run = run_strategy("recall", line("Fixed.", FIX, SUBMIT), prompts=tmp_path)
    assert (refused(run), len(submitted(run)), run.kind) == ([], 1, "unproven")
