"""The `tree` strategy: scores of steps, a return to an earlier step, and failed proofs."""

from __future__ import annotations

import pytest

from extensions.papers.step_forecast import Proposal, parse_proposals
from extensions.papers.strategies.tree import Node, _best_open_node
from tests.agent.conftest import act, line
from tests.agent.strategies.conftest import SUBMIT, RunStrategy, edit_calc, equal, new_test

TEST = new_test("signs", equal("add(2, 3)", 5), equal("add(-2, 3)", 1))
DEAD_END = line(
    "Documentation first.", act("edit", path="NOTES.md", old="", new="add() subtracts\n"), n=1, branch="main"
)
BACKTRACK_TEXT = "Earlier attempts from this step, all reverted"


@pytest.mark.slow
def test_dead_end_is_abandoned_and_reported_to_next_branch(run_strategy: RunStrategy) -> None:
    right = line("The sign, then.", TEST, edit_calc("a + b"), SUBMIT, contains=BACKTRACK_TEXT, branch="main")
    more = [
        line(f"More notes {n}.", act("edit", path=f"N{n}.md", old="", new="x\n"), n=n, branch="main")
        for n in range(2, 9)
    ]
    critic = [line("A note fixes nothing.\n0.0")]
    run = run_strategy("tree", DEAD_END, right, *more, roles={"critic": critic})
    assert (run.kind, run.evaluate("add(-1, -2)")) == ("plausible", -3)
    backtrack = next(step for step in run.steps if step.author == "search")
    assert BACKTRACK_TEXT in backtrack.observations[0].text
    assert "A note fixes nothing." in backtrack.observations[0].text
    assert any("0.00" in note for note in run.notes("score"))
    assert "NOTES.md" not in run.result.patch.diff
    assert not run_strategy("react", DEAD_END, *more, max_steps=6).result.exit.verdict.complete


@pytest.mark.slow
def test_promising_branch_is_expanded(run_strategy: RunStrategy) -> None:
    half = line("A test.", TEST, n=1, branch="main")
    rest = line("And the change.", edit_calc("a + b"), SUBMIT, n=2, branch="main")
    run = run_strategy("tree", half, rest, roles={"critic": [line("A strong test.\n1")]})
    assert run.kind == "plausible"
    assert not [step for step in run.steps if step.author == "search"]


@pytest.mark.slow
def test_failed_proof_lowers_score_of_branch(run_strategy: RunStrategy) -> None:
    wrong = line("So.", TEST, edit_calc("abs(a) + abs(b)"), SUBMIT, n=1, branch="main")
    right = line("Otherwise.", TEST, edit_calc("a + b"), SUBMIT, contains=BACKTRACK_TEXT, branch="main")
    run = run_strategy("tree", wrong, right, roles={"critic": [line("?")]})
    assert (run.kind, run.evaluate("add(-1, -2)")) == ("plausible", -3)
    assert run.notes("score")[0].endswith("proof: unproven")


NOTES = [
    line(f"More notes {n}.", act("edit", path=f"N{n}.md", old="", new="x\n"), n=n, branch="main") for n in range(1, 9)
]
ADDS = line("The sum.", TEST, edit_calc("a + b"), SUBMIT, branch="main", contains="Do this next: return the sum")
LENGTHS = line("Lengths.", TEST, edit_calc("abs(a) + abs(b)"), SUBMIT, branch="main", contains="next: take abs()")
FORECAST = (
    "0.2 | write notes | nothing changes\n- 0.9 | take abs() of both | it passes\n70 % | return the sum | it passes"
)


@pytest.mark.slow
def test_dead_end_is_foreseen(run_strategy: RunStrategy) -> None:
    forecast = [line("0.1 | write notes | nothing changes\n0.9 | return the sum | the example passes")]
    run = run_strategy("tree", ADDS, *NOTES, attempts=1, roles={"forecaster": forecast})
    assert (run.kind, run.evaluate("add(-1, -2)")) == ("plausible", -3)
    assert [reply for reply in run.trajectory.replies if reply[0] == "main"] == [("main", 1)]
    plain = run_strategy("tree", ADDS, *NOTES, attempts=1)
    assert not plain.result.exit.verdict.complete
    assert not [branch for branch, _ in plain.trajectory.replies if "forecast" in branch]


@pytest.mark.slow
def test_next_proposal_is_carried_out_after_failure_of_best(run_strategy: RunStrategy) -> None:
    run = run_strategy("tree", LENGTHS, ADDS, *NOTES, roles={"forecaster": [line(FORECAST)]})
    assert (run.kind, run.evaluate("add(-1, -2)")) == ("plausible", -3)
    assert [branch for branch, _ in run.trajectory.replies if "forecast" in branch] == ["main/forecast-1"]
    search = [step.observations[0].text for step in run.steps if step.author == "search"]
    assert search[0] == "Do this next: take abs() of both"
    assert search[1].startswith(BACKTRACK_TEXT)
    assert "write notes" not in search[1]


def test_lines_that_are_no_proposals_are_ignored() -> None:
    said = "Moves:\n| 0.5 | look | code |\n2 | jump | x\nx | y | z\n0.5 | | nothing\n0.25 | run it | fails"
    assert parse_proposals(said) == [Proposal(0.5, "look", "code"), Proposal(0.25, "run it", "fails")]


def test_run_with_useless_model_ends(run_strategy: RunStrategy) -> None:
    run = run_strategy("tree", line("Looking.", act("shell", command="true")), attempts=2, max_steps=40)
    assert run.result.exit.code == 1
    assert run.result.spent.calls <= 40


def test_best_branch_is_expanded_until_its_score_drops() -> None:
    root = Node(1, "")

    def step(parent: Node, value: float) -> Node:
        node = Node(0, "", parent=parent)
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
def test_best_step_is_proven_without_submission(run_strategy: RunStrategy) -> None:
    fixed = line("The sum.", TEST, edit_calc("a + b"), n=1, branch="main")
    notes = [
        line(f"Notes {n}.", act("edit", path=f"N{n}.md", old="", new="x\n"), n=n, branch="main") for n in range(2, 6)
    ]
    critic = [line("It adds.\n0.9", branch="main/critic-1"), line("Why notes?\n0.1")]
    run = run_strategy("tree", fixed, *notes, attempts=1, roles={"critic": critic})
    assert (run.kind, run.evaluate("add(-1, -2)")) == ("plausible", -3)
    assert "N2.md" not in run.result.patch.diff
