"""Evolution. The cases, written before the strategy:

1. Two places are wrong; one attempt mends the one, one the other, and neither is proven: the child of both, which
   begins with the changes of both, is.
2. The worst is revised: its trajectory is told, and it goes another way.
3. A model that is of no use.
"""

from __future__ import annotations

import pytest

from tests.agent.conftest import line
from tests.agent.strategies.conftest import CALC, FILES, SUBMIT, Solved, mend

BOTH = {
    **FILES,
    "calc.py": CALC.replace("a * 2", "a + 2"),
    "tests/test_calc.py": FILES["tests/test_calc.py"].replace("twice\n", "add, twice\n")
    + "\n    def test_add(self):\n        self.assertEqual(add(2, 3), 5)\n        self.assertEqual(add(7, 3), 10)\n",
}
ISSUE = "Wrong sums\n\nadd() and twice() are wrong."
ASKED = {"files": BOTH, "issue": ISSUE, "reproduce": "tests/test_calc.py"}
ONE = line("The sum.", mend("a + b"), SUBMIT, branch="main/born-1-1")
OTHER = line("The double.", mend("a * 2", "a + 2"), SUBMIT, branch="main/born-1-2")


@pytest.mark.slow
def test_child_of_two_has_what_is_right_of_both(solved: Solved) -> None:
    child = line("Both are needed.", SUBMIT, branch="main/crossed-2", contains="The files contain the changes of both")
    ended = solved("evolve", ONE, OTHER, child, line("I do not know."), attempts=2, **ASKED)
    assert (ended.kind, ended.answer("add(1, 2)"), ended.answer("twice(5)")) == ("verified", 3, 10)
    assert any(note.startswith("crossed-2 is derived from born-1-") for note in ended.notes("summary"))
    for alone in (ONE, OTHER):
        assert solved("react", {**alone, "branch": "main"}, **ASKED).kind != "verified"


@pytest.mark.slow
def test_worst_is_revised_knowing_what_it_did(solved: Solved) -> None:
    wrong = line("So.", mend("a * b"), SUBMIT, branch="main/born-1-1")
    right = line(
        "Anew.",
        mend("a + b"),
        mend("a * 2", "a + 2"),
        SUBMIT,
        branch="main/revised-2",
        contains="What born-1-1 did: edit calc.py",
    )
    ended = solved("evolve", wrong, right, line("I do not know."), attempts=2, **ASKED)
    assert (ended.kind, ended.answer("add(1, 2)")) == ("verified", 3)


def test_useless_model_comes_to_end(solved: Solved) -> None:
    ended = solved("evolve", line("Well."), attempts=2, max_steps=30)
    assert (ended.kind, ended.result.exit.code) == ("not_found", 1)
    assert ended.result.spent.calls <= 30
