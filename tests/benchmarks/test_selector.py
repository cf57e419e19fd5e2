"""The benchmark of candidate selection: scripted attempts, the vote, and bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.selector import Row, _changed, _words, main

PATCH = "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"


def row(right: str, candidates: str, selected: str = "a", resolved: bool = True) -> Row:
    return Row("an__id-1", list(right), list(candidates), selected, "verified", resolved, 1.0)


@pytest.mark.parametrize(("candidates", "vote"), [("accc", "c"), ("abca", "a"), ("ba", "b")])
def test_vote_is_most_frequent_patch_or_first_of_equals(candidates: str, vote: str) -> None:
    assert row("a", candidates).vote == vote


def test_chance_is_share_of_correct_attempts() -> None:
    assert row("ab", "accb").chance == 0.5


def test_changed_lines_are_read_from_patch() -> None:
    assert _changed(PATCH) == {"-x = 1", "+x = 2"}


def test_each_attempt_applies_its_candidate_in_own_branch(tmp_path: Path) -> None:
    candidates = {"a": {"patch": PATCH, "tests": {"tests/test_it.py": "pass\n"}}, "c": {"patch": "", "tests": {}}}
    arguments = _words(tmp_path, ["c", "a"], candidates)
    assert arguments[arguments.index("--attempts") + 1] == "2"
    first, second, other = (json.loads(line) for line in (tmp_path / "script.jsonl").read_text().splitlines())
    assert (first["branch"], second["branch"]) == ("main/try-1", "main/try-2")
    commands = [action["arguments"].get("command", "") for action in second["reply"]["actions"]]
    assert "+x = 2" in commands[0]
    assert "tests/test_it.py" in commands[1]
    assert other["reply"]["text"].endswith("none")


def test_unknown_instance_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    issues, cases = tmp_path / "issues.jsonl", tmp_path / "cases"
    issues.write_text("")
    cases.mkdir()
    (cases / "other__id-1.json").write_text("{}")
    arguments = ["--issues", str(issues), "--gold", str(issues), "--repos", str(tmp_path), "--cases", str(cases)]
    assert main(arguments) == 2
    assert capsys.readouterr().err
