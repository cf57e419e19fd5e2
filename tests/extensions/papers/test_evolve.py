"""The `evolve` strategy: a child with the changes of two attempts, and revision of the worst attempt."""

from __future__ import annotations

import pytest

from tests.agent.conftest import line
from tests.agent.strategies.conftest import CALC, FILES, SUBMIT, RunStrategy, edit_calc

BOTH = {
    **FILES,
    "calc.py": CALC.replace("a * 2", "a + 2"),
    "tests/test_calc.py": FILES["tests/test_calc.py"].replace("twice\n", "add, twice\n")
    + "\n    def test_add(self):\n        self.assertEqual(add(2, 3), 5)\n        self.assertEqual(add(7, 3), 10)\n"
    + "\n    def test_name(self):\n        self.assertEqual(add.__name__, 'add')\n",
}
ISSUE = "Wrong sums\n\nadd() and twice() are wrong."
OPTIONS = {"files": BOTH, "issue": ISSUE, "reproduce": "tests/test_calc.py"}
FIRST_FIX = line("The sum.", edit_calc("a + b"), SUBMIT, branch="main/born-1-1")
SECOND_FIX = line("The double.", edit_calc("a * 2", "a + 2"), SUBMIT, branch="main/born-1-2")


@pytest.mark.slow
def test_child_combines_fixes_of_both_attempts(run_strategy: RunStrategy) -> None:
    child = line("Both are needed.", SUBMIT, branch="main/crossed-2", contains="The files contain the changes of both")
    run = run_strategy("evolve", FIRST_FIX, SECOND_FIX, child, line("I do not know."), attempts=2, **OPTIONS)
    assert (run.kind, run.evaluate("add(1, 2)"), run.evaluate("twice(5)")) == ("verified", 3, 10)
    assert any(note.startswith("crossed-2 is derived from born-1-") for note in run.notes("summary"))
    for attempt in (FIRST_FIX, SECOND_FIX):
        assert not run_strategy("react", {**attempt, "branch": "main"}, **OPTIONS).result.exit.verdict.complete


@pytest.mark.slow
def test_worst_attempt_is_revised_with_its_trajectory(run_strategy: RunStrategy) -> None:
    wrong = line("So.", edit_calc("a * b"), SUBMIT, branch="main/born-1-1")
    right = line(
        "Again.",
        edit_calc("a + b"),
        edit_calc("a * 2", "a + 2"),
        SUBMIT,
        branch="main/revised-2",
        contains="What born-1-1 did: edit calc.py",
    )
    run = run_strategy("evolve", wrong, right, line("I do not know."), attempts=2, **OPTIONS)
    assert (run.kind, run.evaluate("add(1, 2)")) == ("verified", 3)


@pytest.mark.slow
def test_run_with_useless_model_ends(run_strategy: RunStrategy) -> None:
    run = run_strategy("evolve", line("Well."), attempts=2, max_steps=30)
    assert (run.kind, run.result.exit.code) == ("not_found", 1)
    assert run.result.spent.calls <= 30
