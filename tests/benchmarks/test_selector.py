"""What the scripted attempts do, what counts as the vote, and input that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.selector import Row, _changed, _words, main

PATCH = "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"


def row(right: str, made: str, taken: str = "a", resolved: bool = True) -> Row:
    return Row("an__id-1", list(right), list(made), taken, "verified", resolved, 1.0)


@pytest.mark.parametrize(("made", "vote"), [("accc", "c"), ("abca", "a"), ("ba", "b")])
def test_vote_is_patch_that_most_made_of_equals_first(made: str, vote: str) -> None:
    assert row("a", made).vote == vote


def test_chance_is_share_of_attempts_that_are_right() -> None:
    assert row("ab", "accb").chance == 0.5


def test_patch_is_told_by_lines_it_changes() -> None:
    assert _changed(PATCH) == {"-x = 1", "+x = 2"}


def test_each_attempt_comes_to_its_candidate_in_its_own_branch(tmp_path: Path) -> None:
    candidates = {"a": {"patch": PATCH, "tests": {"tests/test_it.py": "pass\n"}}, "c": {"patch": "", "tests": {}}}
    words = _words(tmp_path, ["c", "a"], candidates)
    assert words[words.index("--attempts") + 1] == "2"
    first, second, other = (json.loads(line) for line in (tmp_path / "script.jsonl").read_text().splitlines())
    assert (first["branch"], second["branch"]) == ("main/try-1", "main/try-2")
    commands = [action["arguments"].get("command", "") for action in second["reply"]["actions"]]
    assert "+x = 2" in commands[0]
    assert "tests/test_it.py" in commands[1]
    assert other["reply"]["text"].endswith("none")


def test_instance_that_nobody_knows_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    issues, cases = tmp_path / "issues.jsonl", tmp_path / "cases"
    issues.write_text("")
    cases.mkdir()
    (cases / "other__id-1.json").write_text("{}")
    words = ["--issues", str(issues), "--gold", str(issues), "--repos", str(tmp_path), "--cases", str(cases)]
    assert main(words) == 2
    assert capsys.readouterr().err
