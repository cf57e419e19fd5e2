"""Verdicts of the benchmark on one tiny program, and its rates."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import pytest

from benchmarks import _planting, verifier
from benchmarks._patch_forms import Example
from benchmarks._planting import Package
from benchmarks._planting_make import Bug
from benchmarks.verifier import KINDS, Checks, Row, describe, main, measure_planted, summary
from tests.benchmarks.test_hidden_tests import TEST, write_checkout
from tests.conftest import MakeRepo, git

CASES = "[[[1, 5, 3]], 5]\n[[[7, 2, 3, 8]], 8]\n[[[4]], 4]\n"
REFERENCE = """\
def largest(items):
    found = items[0]
    for item in items:
        if item > found:
            found = item
    return found
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_whole_proofs_judge_all_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    checkout = write_checkout(tmp_path / "checkout", TEST, CASES)
    (checkout / "python_programs" / "largest.py").write_text(REFERENCE.replace("item > found", "item < found"))
    (checkout / "correct_python_programs" / "largest.py").write_text(REFERENCE)
    selected = ("reference", "all rewrites", "if", "constant", "length")
    accepts = Checks.accepts
    monkeypatch.setattr(Checks, "accepts", lambda self, one, test: one.form in selected and accepts(self, one, test))
    assert main(["--repo", str(checkout), "--mutants", "1", "--json", str(tmp_path / "rows.json")]) == 0
    rows = [Row(**one) for one in json.loads((tmp_path / "rows.json").read_text())]
    found = {(row.group, row.form): row for row in rows}
    assert [found["right", form].verdict for form in ("reference", "all rewrites")] == [KINDS[0]] * 2
    assert found["cheat", "if"].verdict == "examples only"
    assert "not shown to be general" in found["cheat", "if"].reason
    assert found["cheat", "constant"].reason.startswith("no_loss False. Lost: ")
    assert found["partial", "length"].verdict.startswith("plausible")
    assert any(row.group == "mutant" and row.form.startswith("fails") for row in rows)
    assert all(row.seconds >= row.experiment > 0 for row in rows if row.verdict == KINDS[0])
    assert "| **all right** | 2 | 2 (100.0%" in capsys.readouterr().out
    monkeypatch.setattr(verifier, "measure_program", None)
    assert main(["--repo", str(checkout), "--json", str(tmp_path / "rows.json")]) == 0
    assert "| **all right** | 2 | 2 (100.0%" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_original_of_a_planted_bug_is_proven(tmp_path: Path, make_repo: MakeRepo, monkeypatch: pytest.MonkeyPatch):
    files = {
        "tiny/__init__.py": "",
        "tiny/things.py": REFERENCE,
        "tests/test_things.py": "from tiny.things import largest\n"
        "def test_it():\n    assert largest([1, 5, 3]) == 5\n"
        "def test_one():\n    assert largest([4]) == 4\n",
    }
    repo = make_repo(files)
    package = Package("tiny", f"somebody/{repo.name}", git(repo, "rev-parse", "HEAD").strip(), "tiny", "tests")
    monkeypatch.setattr(_planting, "PACKAGES", (package,))
    at = REFERENCE.index("item > found")
    failing = ("tests/test_things.py::test_it",)
    place = ("tiny/things.py", "largest", 4, "", ((at + 5, at + 6, "<"),))
    (row,) = islice(measure_planted(repo.parent, Bug("tiny-1", "tiny", package.commit, "", *place, failing)), 1)
    assert (row.program, row.group, row.form, row.test) == ("tiny-1", "right", "reference", failing[0])
    assert row.verdict == KINDS[0]


def test_rates_are_printed_with_intervals_by_patch_and_by_program(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [Row("p", "right", "reference", "t", "plausible, shown", "", 1.0, 0.5)] * 3
    rows += [Row("p", "cheat", "if", "t", "examples only", "It fits.", 2.0, 0.5)]
    rows += [Row(name, "cheat", "table", "t", "plausible, shown", "It is fine.", 4.0, 0.5) for name in ("p", "q")]
    lines = summary(rows).split("\n")
    assert lines[2].startswith("| right: reference | 3 | 3 (100.0%, 43.9%-100.0%) | 0 (0.0%, 0.0%-56.1%) |")
    assert lines[2].endswith("| 0 of 1 (0.0%, 0.0%-79.3%) | 1.0 | 1.0 | 0.5 |")
    assert lines[4].startswith("| cheat: if | 1 | 0 (0.0%")
    assert lines[6].startswith("| **all cheat** | 3 | 2 (66.7%")
    assert lines[6].endswith("| 2 of 2 (100.0%, 34.2%-100.0%) | 4.0 | 4.0 | 0.5 |")
    assert lines[8:] == [
        "Wrong verdicts: 2",
        "- p, cheat, table: plausible, shown. It is fine.",
        "- q, cheat, table: plausible, shown. It is fine.",
    ]


@pytest.mark.parametrize(
    ("group", "verdict", "is_wrong"),
    [
        ("right", "plausible, shown", False),
        ("right", "plausible, undecided", False),
        ("right", "examples only", True),
        ("right", "unproven", True),
        ("mutant", "plausible, shown", True),
        ("mutant", "plausible, undecided", False),
        ("cheat", "unproven", False),
    ],
)
def test_verdicts_that_are_wrong(group: str, verdict: str, is_wrong: bool) -> None:
    assert Row("p", group, "", "t", verdict, "", 1.0, 0.5).is_wrong is is_wrong


def test_issue_shows_the_example_in_code() -> None:
    issue = describe("add", Example([2, "a"], [7]))
    assert "add" in issue.title
    assert "`add(2, 'a')` should give `[7]`." in issue.body
    assert "should give" not in describe("add", None).body


def test_mistakes_of_the_user_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--repo", str(tmp_path)]) == 2
    assert "Give a checkout" in capsys.readouterr().err
    checkout = write_checkout(tmp_path / "checkout", TEST, CASES)
    broken = tmp_path / "rows.json"
    for text in ("{", json.dumps([{"program": "p"}]), json.dumps([asdict(Row("p", "", "", "", "", "", 0, 0))])[1:]):
        broken.write_text(text)
        assert main(["--repo", str(checkout), "--json", str(broken)]) == 2
        assert str(broken) in capsys.readouterr().err
    assert main(["--repo", str(checkout), "--bugs", str(tmp_path / "none"), "--repos", str(tmp_path)]) == 2
    assert "none" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--repo", str(checkout), "--repos", str(tmp_path)])
