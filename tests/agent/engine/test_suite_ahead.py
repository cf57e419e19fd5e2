"""Which trees the suite runs ahead with."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from agent.engine import suite_ahead
from agent.engine.suite_ahead import SuiteAhead
from agent.limits.cancellation import CancellationToken
from trajectories.records import Observation, Step

PASSED = {"passed": 1, "failed": []}


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The trees with which the suite was started; a run with the patch ends when it is cancelled."""
    started: list[str] = []

    def run(fork: Any, trees: Any, base: str, tree: str, **_: Any) -> None:
        started.append(tree)
        cancel: CancellationToken = fork("")
        while not cancel.is_set():
            time.sleep(0.01)

    monkeypatch.setattr("aci.proof.proof.run_suites", run)
    monkeypatch.setattr(suite_ahead, "may_take_long", lambda trees, base: True)
    monkeypatch.setattr(SuiteAhead, "_run", lambda self, *_: None)
    return started


@pytest.fixture
def ahead(runs: list[str]) -> SuiteAhead:
    """`fork` returns the token of the run, instead of a workspace."""
    found = SuiteAhead(SimpleNamespace(), SimpleNamespace(), lambda tree, cancel: cancel)  # type: ignore[arg-type, return-value]
    settings = SimpleNamespace(test="", test_timeout=1.0, suite_time=1.0)
    found.start("base", settings, CancellationToken())  # type: ignore[arg-type]
    return found


def step(tree: str, data: dict[str, Any]) -> Step:
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
def test_suite_runs_with_the_files_of_the_latest_passing_step(
    ahead: SuiteAhead, runs: list[str], steps: list[tuple[str, dict[str, Any], int]], expected: list[str]
) -> None:
    for tree, data, count in steps:
        ahead.follow(step(tree, data))
        until = time.monotonic() + 20
        while len(runs) < count and time.monotonic() < until:
            time.sleep(0.01)
    ahead.stop()
    assert runs == expected


def test_nothing_runs_ahead_after_the_end(ahead: SuiteAhead, runs: list[str]) -> None:
    ahead.stop()
    ahead.follow(step("a", PASSED))
    assert runs == []
