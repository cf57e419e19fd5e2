"""The benchmark of fillings by a model: which bugs are sampled, and how both sides are counted."""

from dataclasses import asdict
from typing import Any

from benchmarks._planting_make import Bug
from benchmarks.cloze import is_unfixed, report, sample_order
from benchmarks.planted import Row


def _bug(number: int, operator: str) -> Bug:
    return Bug(f"bug-{number}", "toolz", "", operator, "a.py", "f", 1, "", ())


def _row(asked: bool, **values: object) -> dict[str, Any]:
    row = Row("bug-1", "toolz", "swap", "", 1)
    return {"asked": asked, "fillings": 0, "questions": 2, "templates": {**asdict(row), **values}}


def test_bugs_are_drawn_in_turn_from_each_operator() -> None:
    bugs = [_bug(number, "swap") for number in range(6)] + [_bug(6, "drop"), _bug(7, "revert")]
    order = sample_order(bugs)
    assert {bug.operator for bug in order[:3]} == {"swap", "drop", "revert"}
    assert sorted(bug.id for bug in order) == [bug.id for bug in bugs]
    assert order == sample_order(bugs)


def test_only_bugs_that_templates_are_known_not_to_fix_are_unfixed() -> None:
    assert is_unfixed(_row(True))
    assert is_unfixed(_row(True, chosen=1, equal="differs"))
    assert not is_unfixed(_row(False, chosen=1, equal="differs"))
    assert not is_unfixed(_row(True, chosen=1, equal="tree"))
    assert not is_unfixed(_row(True, equal="unknown"))


def test_the_report_counts_both_sides_and_those_that_wait_for_answers() -> None:
    filled = _row(True, tried=100, cpu=20.0)
    filled |= {"cloze": {**filled["templates"], "plausible": 2, "chosen": 1, "equal": "tree", "tried": 130}}
    filled |= {"fillings": 40, "memory": [({}, "00" * 4 * 90)]}
    assert report([filled, _row(True)]).splitlines()[2:] == [
        "| templates | 1 | 0 | 0 | 0 | 0 | 0 | 100 | 20 |",
        "| with fillings | 1 | 1 | 1 | 1 | 2 | 40 | 140 | 20 |",
        "1 bugs wait for answers.",
    ]
