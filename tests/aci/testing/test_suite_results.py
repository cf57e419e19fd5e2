"""The report of a run, of lines that the code under test may have written, and of exit codes that runners differ in."""

import json

import pytest

from aci.runtime.workspace import CommandResult
from aci.testing.suite_results import build_report


def report(*lines, code=0):
    return build_report("x", CommandResult(b"", code, 1.0, "/"), list(lines))


@pytest.mark.parametrize(
    "line",
    [
        {"seconds": 10**400},
        {"seconds": float("nan")},
        {"line": 10**4200},
        {"message": "\ud800", "path": "\udcff", "error": "\ud800"},
        {"message": {"a": 1}, "path": [], "trace": [["a", 10**4200, {}], 3, None]},
    ],
)
def test_hostile_values_are_bounded(line):
    found = report({"start": "jest"}, {"running": "a\ud800"}, {"id": "a\ud800", "outcome": "failed", **line})
    json.dumps([str(found.results), found.summary(), found.notes], ensure_ascii=False).encode()
    assert found.results[0].id == "a\\ud800"
    assert 0 <= found.results[0].seconds <= 10**9
    assert found.results[0].line <= 10**9


def test_outcome_that_is_no_word_is_passed_over():
    assert report({"start": "jest"}, {"id": "a", "outcome": []}, {"finish": 0}).results == ()


@pytest.mark.parametrize(
    ("runner", "code", "announced", "well"),
    [
        ("pytest", 1, {}, True),
        ("pytest", 3, {}, False),
        ("cargo", 101, {}, True),
        ("cargo", 139, {}, False),
        ("mocha", 140, {"code": 140}, True),
        ("mocha", 127, {"code": 127}, True),
        ("mocha", 139, {"code": 1}, False),
    ],
)
def test_exit_codes_are_runners_own(runner, code, announced, well):
    lines = {"start": runner}, {"running": "a"}, {"id": "a", "outcome": "failed"}, {"finish": 1, **announced}
    found = report(*lines, code=code)
    assert found.ended_well == well
    assert (found.notes == ()) == (well or code < 126)
