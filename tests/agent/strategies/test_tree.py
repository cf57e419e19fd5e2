"""A tree of steps. The cases, written before the strategy:

1. The first way leads nowhere, and a critic says so: the search goes back to the beginning, where another way (which
   the script takes only when it is told what was tried) is proven.
2. What is promising is gone on with, without going back.
3. A proof that fails counts against the way that led there.
4. Without a number of the critic's the search goes on all the same; a model that is of no use comes to an end.
"""

from __future__ import annotations

import pytest

from agent.strategies.tree import Node, _best_open_node
from tests.agent.conftest import act, line
from tests.agent.strategies.conftest import SUBMIT, Solved, equal, mend, test_of

TEST = test_of("signs", equal("add(2, 3)", 5), equal("add(-2, 3)", 1))
ASTRAY = line("Documentation first.", act("edit", path="NOTES.md", old="", new="add() subtracts\n"), n=1, branch="main")
BACK = "From here this was tried before"


@pytest.mark.slow
def test_dead_end_is_left_with_hindsight(solved: Solved) -> None:
    right = line("The sign, then.", TEST, mend("a + b"), SUBMIT, contains=BACK, branch="main")
    more = [
        line(f"More notes {n}.", act("edit", path=f"N{n}.md", old="", new="x\n"), n=n, branch="main")
        for n in range(2, 9)
    ]
    critic = [line("A note mends nothing.\n0.0")]
    ended = solved("tree", ASTRAY, right, *more, roles={"critic": critic})
    assert (ended.kind, ended.answer("add(-1, -2)")) == ("verified", -3)
    back = next(step for step in ended.steps if step.author == "search")
    assert BACK in back.observations[0].text
    assert "A note mends nothing." in back.observations[0].text
    assert any("0.00" in note for note in ended.notes("score"))
    assert "NOTES.md" not in ended.result.patch.diff
    assert solved("react", ASTRAY, *more, max_steps=6).kind != "verified"


@pytest.mark.slow
def test_what_is_promising_is_gone_on_with(solved: Solved) -> None:
    half = line("A test.", TEST, n=1, branch="main")
    rest = line("And the change.", mend("a + b"), SUBMIT, n=2, branch="main")
    ended = solved("tree", half, rest, roles={"critic": [line("A test that tells.\n1")]})
    assert ended.kind == "verified"
    assert not [step for step in ended.steps if step.author == "search"]


@pytest.mark.slow
def test_proof_that_fails_counts_against_its_way(solved: Solved) -> None:
    wrong = line("So.", TEST, mend("abs(a) + abs(b)"), SUBMIT, n=1, branch="main")
    right = line("Otherwise.", TEST, mend("a + b"), SUBMIT, contains=BACK, branch="main")
    ended = solved("tree", wrong, right, roles={"critic": [line("?")]})
    assert (ended.kind, ended.answer("add(-1, -2)")) == ("verified", -3)
    assert ended.notes("score")[0].endswith("proof: unproven")


def test_useless_model_comes_to_end(solved: Solved) -> None:
    ended = solved("tree", line("Looking.", act("shell", command="true")), attempts=2, max_steps=40)
    assert ended.result.exit.code == 1
    assert ended.result.spent.calls <= 40


def test_of_two_ways_one_that_paid_is_gone_on_with_until_it_is_worn() -> None:
    root = Node(1, "")

    def step(parent: Node, value: float) -> Node:
        node = Node(0, "", parent)
        parent.children.append(node)
        node.take(value)
        return node

    good = step(root, 0.8)
    assert _best_open_node(root) is good
    bad = step(root, 0.1)
    assert _best_open_node(root) is good
    step(good, 0.0)
    assert _best_open_node(root) is bad
    assert (root.visits, round(root.value, 3), good.value) == (3, 0.3, 0.4)


@pytest.mark.slow
def test_what_is_worth_most_is_proven_where_nothing_was_handed_in(solved: Solved) -> None:
    mended = line("The sum.", TEST, mend("a + b"), n=1, branch="main")
    talk = [
        line(f"Notes {n}.", act("edit", path=f"N{n}.md", old="", new="x\n"), n=n, branch="main") for n in range(2, 6)
    ]
    critic = [line("It adds.\n0.9", branch="main/critic-1"), line("Why notes?\n0.1")]
    ended = solved("tree", mended, *talk, attempts=1, roles={"critic": critic})
    assert (ended.kind, ended.answer("add(-1, -2)")) == ("verified", -3)
    assert "N2.md" not in ended.result.patch.diff
