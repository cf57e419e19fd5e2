"""Rates and reasons of the benchmark of reproduction."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import reproduce
from tests.conftest import MakeRepo
from tests.text_blobs import TextBlobs

EXAMPLE = "A is wrong\n```python\n>>> import a\n>>> a.A\n1\n```\nIt should be 2.\n"


def row(outcome: str, why: str = "", cpu: float = 1.0) -> dict[str, Any]:
    return {"id": "a", "outcome": outcome, "why": why, "cpu": cpu, "setup": 0.0}


def test_rates_count_issues_with_code_that_run_here() -> None:
    rows = [
        row("green", cpu=3.0),
        row("red at gold"),
        row("no test", "The issue's example fails with KeyError: 'x', but the issue does not report it."),
        row("no test", "The issue's example fails with ValueError: 1, but the issue does not report it."),
        row("no code", "The issue shows no Python code that can be run.", 0.0),
        row("not run", "No environment: The set-up command failed.", 0.0),
    ]
    text = reproduce.summary(rows)
    assert "| The issue's example fails with an exception, but the issue does not report it. | 2 |" in text
    assert "6 issues, 5 with code, 4 of them run here: 1 (25 %) red at base and green at gold, 1 red at gold" in text
    assert "mean 1.5, at most 3.0" in text


@pytest.mark.parametrize(
    ("why", "reason"),
    [
        (
            "The issue's example fails with KeyError: 1, but the issue does not report it.",
            "fails with an exception, but the issue does not report it.",
        ),
        ("The issue's example needs names that are not found: a, b.", "needs names that are not found."),
        ("The example fails as reported, but not as a test in tests/test_a.py (NameError).", "but not as a test."),
    ],
)
def test_reasons_have_no_details(why: str, reason: str) -> None:
    assert reproduce.reason_of(row("no test", why)).endswith(reason)


def test_issues_with_a_row_are_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    issues = [{"instance_id": name, "repo": "o/r", "created_at": name} for name in ("o__r-2", "o__r-1")]
    (tmp_path / "issues").write_text("\n".join(map(json.dumps, issues)))
    (tmp_path / "gold").write_text("\n".join(json.dumps({**one, "patch": ""}) for one in issues))
    (tmp_path / "rows").write_text(json.dumps({**row("green"), "id": "o__r-1"}) + "\n")
    tried: list[str] = []

    def one_row(issue: dict[str, Any], *rest: object) -> dict[str, Any]:
        tried.append(issue["instance_id"])
        return {**row("no test", "Why."), "id": issue["instance_id"]}

    monkeypatch.setattr(reproduce, "one_row", one_row)
    monkeypatch.setattr(reproduce, "adopt_orphans", lambda: None)
    folders = [f"--{name}={tmp_path / name}" for name in ("issues", "gold", "mirrors", "pythons")]
    monkeypatch.setattr(sys, "argv", ["reproduce", *folders, "--json", str(tmp_path / "rows")])
    reproduce.main()
    assert tried == ["o__r-2"]
    assert "2 issues, 2 with code" in capsys.readouterr().out
    reproduce.main()
    assert tried == ["o__r-2"]


def test_patch_that_does_not_apply_does_not_end_the_benchmark(tmp_path: Path, make_repo: MakeRepo) -> None:
    (tmp_path / "o+r").mkdir()
    (tmp_path / "o+r/repo").symlink_to(make_repo({"a.py": "A = 1\n"}))
    issue = {"instance_id": "o__r-1", "repo": "o/r", "base_commit": "HEAD", "problem_statement": EXAMPLE}
    gold = "--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-A = 2\n+A = 3\n"
    found = reproduce.one_row(issue, gold, reproduce.Options(tmp_path, tmp_path / "pythons"))
    assert found["outcome"] == "not run"
    assert "does not apply" in found["why"]
    assert reproduce.one_row({**issue, "repo": "o/missing"}, gold, reproduce.Options(tmp_path, tmp_path))["why"]


def test_changes_contain_removed_and_renamed_files() -> None:
    before = TextBlobs({"same.py": "S", "edited.py": "1", "removed.py": "R", "old.py": "O"})
    after = TextBlobs({"same.py": "S", "edited.py": "2", "new.py": "O", "added.py": "A"})
    assert reproduce._changes(before, after) == {
        **{"edited.py": b"2", "new.py": b"O", "added.py": b"A"},
        **{"removed.py": None, "old.py": None},
    }
