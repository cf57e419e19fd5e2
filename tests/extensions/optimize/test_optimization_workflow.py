"""Which functions `optimize` works on, and when it ends the search for a rewrite."""

from __future__ import annotations

import math
import time
from types import SimpleNamespace
from typing import Any

import pytest

from aci.runtime.target_function import Target
from extensions.optimize import optimization_workflow as workflow
from extensions.optimize.candidate_benchmark import RIGHT, CandidateVerdict
from extensions.optimize.measurement.profiling import FunctionTime
from extensions.optimize.rewrites.rewrite_catalog import Rewrite

SOURCE = b"""
def unique(items):
    seen = []
    for item in items:
        if item not in seen:
            seen.append(item)
    return seen


class Connection:
    def __exit__(self, *raised):
        self.pool.close(self)


def scale(values, factor):
    return factor * values
"""


def task_with(model: str = "", deadline: float | None = None, once: Any = lambda name, make: make()) -> Any:
    settings = SimpleNamespace(model=model)
    turn = SimpleNamespace(settings=settings, base=SimpleNamespace(tree="base"))
    cancel = SimpleNamespace(deadline=deadline, check=lambda: None)
    trees = SimpleNamespace(
        read=lambda tree, path: SOURCE, write=lambda files, tree: str(len(next(iter(files.values()))))
    )
    notes: list[str] = []

    def note(kind: str, text: str) -> None:
        notes.append(text)

    return SimpleNamespace(
        turn=turn, branch=SimpleNamespace(cancel=cancel), trees=trees, once=once, note=note, notes=notes
    )


@pytest.mark.parametrize(
    ("name", "inside", "model", "expected"),
    [
        ("unique", 1.0, "", True),
        ("unique", 0.0, "", True),  # the rewrite may call the library less often
        ("Connection.__exit__", 1.0, "", False),
        ("scale", 1.0, "", False),
        ("Connection.__exit__", 0.05, "m", False),  # its time is in the library that it calls
        ("scale", 1.0, "m", True),
    ],
)
def test_hot_function_is_chosen_if_a_change_of_it_may_help(
    name: str, inside: float, model: str, expected: bool
) -> None:
    spent = FunctionTime(Target("shop.py", name), 1.0, 1.0, 0, 0.5, 0.5, inside)
    assert workflow._may_improve(task_with(model), spent) == expected


@pytest.mark.parametrize(("left", "seconds"), [(None, 120.0), (1000.0, 120.0), (100.0, 50.0), (0.0, 0.0)])
def test_search_leaves_time_for_its_checks(left: float | None, seconds: float) -> None:
    deadline = None if left is None else time.monotonic() + left
    assert math.isclose(workflow.search_seconds(task_with(deadline=deadline)), seconds, abs_tol=5.0)


class CountedBench:
    """A bench whose verdicts are known: the cost of each rewrite."""

    target, tree = Target("shop.py", "unique"), "base"

    def __init__(self, *costs: int) -> None:
        self.costs, self.asked = list(costs), 0

    def baseline(self) -> CandidateVerdict:
        return CandidateVerdict("as it is", "base", RIGHT, cost=1000)

    def judge(self, what: str, tree: str) -> CandidateVerdict:
        self.asked += 1
        cost = self.costs[self.asked - 1]
        return CandidateVerdict(what, tree, RIGHT if cost else "wrong", cost=cost)


PROPOSED = [Rewrite(f"rewrite {number}", b"x" * number) for number in range(4)]


@pytest.mark.parametrize(
    ("seconds", "costs", "asked"),
    [
        (0.0, (50, 40, 30, 20), 1),
        (0.0, (0, 999, 50, 20), 3),  # neither a wrong rewrite nor one that saves too little ends the search
        (0.0, (0, 999, 990, 980), 4),
        (600.0, (50, 40, 30, 20), 4),
    ],
)
def test_search_ends_with_the_rewrite_in_hand(monkeypatch: Any, seconds: float, costs: Any, asked: int) -> None:
    monkeypatch.setattr(workflow, "SEARCH_SECONDS", seconds)
    task, bench, found = task_with(), CountedBench(*costs), []
    workflow.judge_rewrites(task, bench, PROPOSED, found)  # type: ignore[arg-type]
    assert bench.asked == len(found) == asked
    assert any("not tried" in text for text in task.notes) == (asked < len(PROPOSED))


def test_end_of_search_is_recorded_so_that_a_resumed_run_repeats_it(monkeypatch: Any) -> None:
    recorded: dict[str, Any] = {}

    def once(name: str, make: Any) -> Any:
        if name not in recorded:
            recorded[name] = make()
        return recorded[name]

    monkeypatch.setattr(workflow, "SEARCH_SECONDS", 0.0)
    first, again = CountedBench(50, 40, 30, 20), CountedBench(50, 40, 30, 20)
    workflow.judge_rewrites(task_with(once=once), first, PROPOSED, [])  # type: ignore[arg-type]
    monkeypatch.setattr(workflow, "SEARCH_SECONDS", 600.0)
    workflow.judge_rewrites(task_with(once=once), again, PROPOSED, [])  # type: ignore[arg-type]
    assert again.asked == first.asked == 1
