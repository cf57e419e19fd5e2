"""Reports built from untrusted result lines and from runner-specific exit codes."""

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
    built = report({"start": "jest"}, {"running": "a\ud800"}, {"id": "a\ud800", "outcome": "failed", **line})
    json.dumps([str(built.results), built.summary(), built.notes], ensure_ascii=False).encode()
    assert built.results[0].id == "a\\ud800"
    assert 0 <= built.results[0].seconds <= 10**9
    assert built.results[0].line <= 10**9


def test_outcome_that_is_no_string_is_ignored():
    assert report({"start": "jest"}, {"id": "a", "outcome": []}, {"finish": 0}).results == ()


@pytest.mark.parametrize(
    ("runner", "code", "announced", "expected"),
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
def test_exit_code_is_judged_by_rules_of_its_runner(runner, code, announced, expected):
    lines = {"start": runner}, {"running": "a"}, {"id": "a", "outcome": "failed"}, {"finish": 1, **announced}
    built = report(*lines, code=code)
    assert built.ended_well == expected
    assert (built.notes == ()) == (expected or code < 126)
