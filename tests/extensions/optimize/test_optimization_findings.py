"""Findings of an optimization."""

from __future__ import annotations

from extensions.optimize.optimization_findings import _of_optimization
from trajectories.facts import Fact


def test_candidates_of_optimization_become_findings_at_functions() -> None:
    unique, merge = {"function": "shop/orders.py:unique"}, {"function": "shop/orders.py:merge"}
    facts = [
        Fact("limit", "shop/orders.py:unique: 9,000 -> 1,000 instructions.", {**unique, "instructions": 1000}),
        Fact("limit", "shop/orders.py:merge: no built-in rewrite applies.", {**merge}),
        Fact("slow_function", "shop/orders.py:merge: the number of instructions grows as n^2.", {**merge}),
        Fact("limit", "The function's calls could not be timed."),
    ]
    why = ["unique([1, 2]) gives [2, 1], not [1, 2]"]
    candidates = [
        {"function": "shop/orders.py:unique", "what": "dict.fromkeys", "status": "right", "why": []},
        {"function": "shop/orders.py:unique", "what": "sorted(set())", "status": "wrong", "why": why},
    ]
    found = list(_of_optimization(facts, candidates, True, lambda path, name: len(name)))
    assert [(one.rule, one.where) for one in found] == [
        ("faster-function", "shop/orders.py:6"),
        ("refused-candidate", "shop/orders.py:6"),
        ("hot-function", "shop/orders.py:5"),
    ]
    assert found[2].text == "merge is hot, and was not made faster. the number of instructions grows as n^2."
    assert "sorted(set()): wrong: unique([1, 2]) gives" in found[1].text
    assert [one.rule for one in _of_optimization(facts[:1], (), False, lambda *_: 1)] == ["hot-function"]
