"""The `optimize` strategy: what is counted, what the final checks refuse, and what is kept when the time ends."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.engine.task import Task
from extensions.optimize import candidate_benchmark
from extensions.optimize.candidate_benchmark import Bench, CandidateVerdict, load_verdict
from extensions.optimize.strategies import optimize
from tests.agent.conftest import act
from tests.agent.strategies.conftest import SUBMIT, FinishedRun, RunStrategy
from tests.slow_function import SLOW
from trajectories.errors import Cancelled, UsageError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not shutil.which("valgrind") and os.environ.get("CI") != "true", reason="valgrind is not installed"
    ),
]

TESTS = """\
import unittest

from calc import unique


class UniqueTest(unittest.TestCase):
    def test_unique(self):
        self.assertEqual(unique([1, 2, 3, 2, 3]), [1, 2, 3])
        self.assertEqual(unique([]), [])
        self.assertEqual(len(unique([n * 7 % 60 for n in range(120)])), 60)
"""
FILES = {"calc.py": SLOW, "tests/__init__.py": "", "tests/test_calc.py": TESTS, ".gitignore": "__pycache__/\n"}
RENAMED = SLOW.replace("seen", "found")
SPECIAL = """\
def unique(items):
    if items and items[0] == 48613:
        return items
    return list(dict.fromkeys(items))
"""

GIVES_UP = """\
def unique(items):
    return list(dict.fromkeys(items[:400]))
"""


@pytest.fixture
def optimize_unique(run_strategy: RunStrategy, monkeypatch: pytest.MonkeyPatch):
    """`optimize_unique(text, ..)` runs the strategy with a model that writes these versions."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")

    def run(*texts: str, **settings: Any) -> FinishedRun:
        lines = [
            {"reply": {"text": "A version.", "actions": [act("edit", path="calc.py", old=before, new=text), SUBMIT]}}
            for before, text in zip((SLOW, *texts), texts, strict=False)
        ]
        options = {"function": "calc.py:unique", "rounds": max(len(texts), 1), **settings}
        return run_strategy("optimize", *lines, files=FILES, issue="Make unique faster", **options)

    return run


def end_time_in(monkeypatch: pytest.MonkeyPatch, owner: type, method: str) -> None:
    """Let the time end when this method is called."""

    def end(*_: object, **__: object) -> None:
        raise Cancelled("The time ended.")

    monkeypatch.setattr(owner, method, end)
    monkeypatch.setattr(optimize, "_has_time_ended", lambda task: True)


def test_best_candidate_is_kept_when_time_ends_in_final_checks(optimize_unique, monkeypatch) -> None:
    end_time_in(monkeypatch, Bench, "last_checks")
    run = optimize_unique(model="")
    notes = run.result.verdict.notes
    assert "set" in run.result.patch.diff
    assert run.kind == "limit"
    assert run.result.verdict.kind == "unproven"
    assert any("the best right candidate when the time ended" in note for note in notes)
    assert notes[-1] == (
        "The time limit (--max-time) was reached. Not checked: unseen calls, cheating, another hash seed, memory, "
        "and the tests."
    )


def test_gain_is_kept_when_time_ends_in_proof(optimize_unique, monkeypatch) -> None:
    end_time_in(monkeypatch, Task, "prove")
    run = optimize_unique(model="")
    assert "set" in run.result.patch.diff
    assert run.kind == "limit"
    assert run.result.verdict.notes[-1] == "The time limit (--max-time) was reached. Not checked: the tests."
    assert run.evaluate("unique([2, 1, 2])") == [2, 1]


def test_small_sizes_are_counted_only_for_faster_candidates(optimize_unique, monkeypatch) -> None:
    counted: list[int] = []
    count_calls = candidate_benchmark.count_calls

    def count(room: Any, target: Any, calls: Any, *args: Any, large: Any = (), **options: Any) -> Any:
        counted.append(len(large))
        return count_calls(room, target, calls, *args, large=large, **options)

    monkeypatch.setattr(candidate_benchmark, "count_calls", count)
    monkeypatch.setattr("extensions.optimize.optimization_workflow.REWRITES", 0)
    run = optimize_unique(RENAMED)
    assert not run.result.patch.diff
    assert counted[0] >= candidate_benchmark.LEAST_SIZES  # the original: all sizes
    assert counted[1:] == [1]  # the candidate: the largest only


def test_candidate_that_differs_next_to_its_own_constant_is_refused_with_reason(optimize_unique, monkeypatch) -> None:
    monkeypatch.setattr("extensions.optimize.optimization_workflow.REWRITES", 0)
    run = optimize_unique(SPECIAL)
    assert not run.result.patch.diff
    (candidate,) = run.result.candidates
    assert candidate["status"] == "refused"
    assert "48613" in " ".join(candidate["why"])
    assert "unique([48613" in run.result.word


def test_candidate_that_is_wrong_on_large_inputs_only_is_refused(optimize_unique, monkeypatch) -> None:
    monkeypatch.setattr("extensions.optimize.optimization_workflow.REWRITES", 0)
    run = optimize_unique(GIVES_UP)
    assert not run.result.patch.diff
    (candidate,) = run.result.candidates
    assert candidate["status"] == "refused", candidate


def test_module_that_cannot_be_imported_ends_with_reason(optimize_unique, monkeypatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise UsageError("calc.py:unique cannot be imported.")

    monkeypatch.setattr(candidate_benchmark, "count_calls", refuse)
    run = optimize_unique(model="")
    assert run.kind == "not_found"
    assert "calc.py:unique cannot be imported." in run.result.word


def test_candidates_are_kept_when_model_fails(optimize_unique) -> None:
    run = optimize_unique(max_steps=1)
    assert [candidate["status"] for candidate in run.result.candidates] == ["right"]


def test_verdict_of_earlier_version_is_read() -> None:
    """Earlier versions counted no large call."""
    old = CandidateVerdict("as it is", "tree", "right", cost=5, backend="valgrind").as_json()
    del old["large"]
    assert load_verdict(old).n == 5
