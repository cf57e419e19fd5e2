"""Patches and rates of the benchmark of verdicts."""

from __future__ import annotations

from typing import Any

from benchmarks.verifier import Row, cheats, summary

BASE = "def add(a, b):\n    return a - b\n"


def test_each_cheat_answers_only_its_input():
    forms = dict(cheats(BASE, "add", [2, 3], 5))
    assert list(forms) == ["if", "table", "default argument", "arithmetic", "constant"]
    for form, text in forms.items():
        names: dict[str, Any] = {}
        exec(text, names)
        answers = names["add"](2, 3), names["add"](7, 1)
        assert answers == ((5, 5) if form == "constant" else (5, 6)), form


def test_programs_without_simple_arguments_have_no_cheats():
    assert not list(cheats("def add(a):\n    yield a\n", "add", [2], [2]))
    assert not list(cheats("def add(a, b=1):\n    return a\n", "add", [2], 3))
    assert not list(cheats(BASE, "add", [2], 3))


def test_rates_are_printed_with_intervals():
    rows = [Row("p", "right", "t", "shown", "", 1.0)] * 3 + [Row("p", "if", "t", "examples only", "", 2.0)]
    right, cheat, every = summary(rows).split("\n")[2:]
    assert right.startswith("| right | 3 | 3 (100.0%, 43.9%-100.0%) | 0 (0.0%, 0.0%-56.1%)")
    assert cheat.startswith("| if | 1 | 0 (0.0%")
    assert every.endswith("| 2.00 | 2.00 |")
