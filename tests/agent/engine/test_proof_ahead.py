"""Which proofs run ahead, and which of them a strategy gets."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from agent.engine import proof_ahead
from agent.engine.proof_ahead import ProofAhead, Proved
from agent.limits.cancellation import CancellationToken
from trajectories.errors import WorkspaceError
from trajectories.records import Observation, Step
from trajectories.verdict import Verdict

PASSED = {"passed": 1, "failed": []}
FOUND: Proved = (Verdict("plausible"), ())


class Proofs:
    """The trees whose proof was started. A proof lasts until it is cancelled or `done` is set."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.done = False

    def __call__(self, tree: str, fork: Callable[[str], Any], say: Callable[[str], None]) -> Proved:
        self.started.append(tree)
        cancel: CancellationToken = fork("")
        while not (cancel.is_set() or self.done):
            time.sleep(0.01)
        say("proving")
        if tree == "broken":
            raise WorkspaceError("The container ended.")
        return FOUND

    def wait(self, count: int) -> None:
        until = time.monotonic() + 20
        while len(self.started) < count and time.monotonic() < until:
            time.sleep(0.01)


@pytest.fixture
def proofs() -> Proofs:
    return Proofs()


@pytest.fixture
def ahead(proofs: Proofs, monkeypatch: pytest.MonkeyPatch) -> ProofAhead:
    """`fork` returns the token of the run, instead of a workspace."""
    monkeypatch.setattr(proof_ahead, "may_take_long", lambda trees, base: False)
    found = ProofAhead(SimpleNamespace(), SimpleNamespace(), lambda tree, cancel: cancel)  # type: ignore[arg-type, return-value]
    found.start("base", SimpleNamespace(), CancellationToken(), 60)  # type: ignore[arg-type]
    found.expect("parameters", proofs)
    return found


def step(tree: str, data: dict[str, Any] = PASSED) -> Step:
    return Step("main", 1, "", "coder", tree, observations=(Observation("", data=data),))


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([("a", PASSED, 1)], ["a"]),
        ([("a", PASSED, 1), ("a", {}, 1)], ["a"]),
        ([("a", {}, 0), ("b", {"passed": 1, "failed": ["t"]}, 0)], []),
        ([("base", PASSED, 0)], []),
        ([("a", PASSED, 1), ("b", {}, 1), ("a", PASSED, 2)], ["a", "a"]),
        ([("a", PASSED, 1), ("base", {}, 1), ("a", PASSED, 2)], ["a", "a"]),
        ([("a", PASSED, 1), ("b", PASSED, 2)], ["a", "b"]),
    ],
)
def test_latest_step_in_which_tests_passed_is_proved(
    ahead: ProofAhead, proofs: Proofs, steps: list[tuple[str, dict[str, Any], int]], expected: list[str]
) -> None:
    for tree, data, count in steps:
        ahead.follow(step(tree, data))
        proofs.wait(count)
    ahead.stop()
    assert proofs.started == expected


def test_strategy_waits_for_the_proof_of_its_tree_and_sees_what_it_runs(ahead: ProofAhead, proofs: Proofs) -> None:
    said: list[str] = []
    ahead.follow(step("a"))
    proofs.wait(1)
    proofs.done = True
    assert ahead.take("a", "parameters", said.append) == FOUND
    assert said in ([], ["proving"])  # it may have ended before


@pytest.mark.parametrize(("tree", "parameters"), [("b", "parameters"), ("a", "others")])
def test_another_proof_ends_the_one_that_runs_ahead(
    ahead: ProofAhead, proofs: Proofs, tree: str, parameters: str
) -> None:
    ahead.follow(step("a"))
    proofs.wait(1)
    assert ahead.take(tree, parameters, print) is None
    ahead.stop()


def test_proof_that_fails_ahead_is_done_again(ahead: ProofAhead, proofs: Proofs) -> None:
    proofs.done = True
    ahead.follow(step("broken"))
    assert ahead.take("broken", "parameters", print) is None


def test_nothing_runs_ahead_after_the_end(ahead: ProofAhead, proofs: Proofs) -> None:
    ahead.stop()
    ahead.follow(step("a"))
    assert ahead.take("a", "parameters", print) is None
    assert proofs.started == []


def test_nothing_runs_ahead_for_a_strategy_that_announces_no_proof(proofs: Proofs) -> None:
    found = ProofAhead(SimpleNamespace(), SimpleNamespace(), lambda tree, cancel: cancel)  # type: ignore[arg-type, return-value]
    found.follow(step("a"))
    assert found.take("a", "parameters", print) is None
