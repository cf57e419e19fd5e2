"""The benchmark of patches of repositories with an examiner whose answers are files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks.examined_cases import Row, answer_file, clustered, judge, summary
from benchmarks.verdict_cases import create_repository
from tests.benchmarks.test_verdict_cases import CASE
from tests.conftest import git

ANSWER = """tests/test_blind.py
```python
from calc import add, double

def test_large():
    assert add(40, 50) == 90

def test_negative():
    assert add(-3, 1) == -2

def test_double():
    assert double(7) == 14
```
- test_large | red | "add() subtracts"
- test_negative | red | "add() subtracts"
- test_double | guard | "add() subtracts"
"""

BASE: dict[str, str] = CASE["base"]  # type: ignore[assignment]
PATCH: dict[str, str] = CASE["patch"]  # type: ignore[assignment]


@pytest.fixture
def issue(tmp_path: Path) -> Path:
    folder = tmp_path / "issue"
    (folder / "patches").mkdir(parents=True)
    (folder / "repo").mkdir()
    create_repository(folder / "repo", BASE)
    (folder / "issue.md").write_text(str(CASE["issue"]))
    for name, source in (("right-1", "a + b"), ("wrong-1", "abs(a) + abs(b)")):
        for path, text in PATCH.items():
            (folder / "repo" / path).write_text(text.replace("a + b", source))
        git(folder / "repo", "add", "-A")
        patch = subprocess.run(["git", "diff", "--cached"], cwd=folder / "repo", capture_output=True, check=True)
        (folder / "patches" / f"{name}.patch").write_bytes(patch.stdout)
    git(folder / "repo", "reset", "-q", "--hard")
    return folder


@pytest.mark.slow
def test_answers_decide_over_the_patches_and_questions_without_an_answer_are_written(issue: Path) -> None:
    right, wrong = (issue / "patches" / f"{name}.patch" for name in ("right-1", "wrong-1"))
    row = judge(right)
    assert (row.verdict, row.without, row.open) == ("plausible", "plausible", ("tests",)), row
    request = (issue / "answers" / "tests.request.md").read_text()
    assert "You write tests that decide" in request
    assert "add() subtracts" in request
    (issue / "answers" / "tests.md").write_text(ANSWER)
    row = judge(right)
    assert (row.verdict, row.without, row.open) == ("plausible", "plausible", ("challenge",)), row
    request = answer_file(right, "challenge").with_suffix(".request.md").read_text()
    assert "You look for the situation" in request
    assert "+    return a + b" in request
    answer_file(right, "challenge").write_text("NONE")
    row = judge(right)
    assert (row.verdict, row.open, row.is_as_wanted) == ("verified", (), True), row
    assert judge(wrong).open == ("second",)
    request = answer_file(wrong, "second").with_suffix(".request.md").read_text()
    assert "test_negative" in request
    assert "abs" not in request
    answer_file(wrong, "second").write_text("- test_negative | implied | signs")
    row = judge(wrong)
    assert (row.verdict, row.open, row.is_as_wanted) == ("disputed", (), True), row


@pytest.mark.parametrize(
    ("groups", "low", "high"),
    [
        ([(0, 2)] * 20, 0.0, 0.16),
        ([(1, 1)] * 20, 0.84, 1.0),
        ([(1, 2)] * 20, 0.35, 0.65),
        ([(2, 2)] * 10 + [(0, 2)] * 10, 0.3, 0.7),
    ],
)
def test_interval_is_as_wide_as_the_groups_are_alike(groups: list[tuple[int, int]], low: float, high: float) -> None:
    bound = clustered(groups)
    assert bound.low == pytest.approx(low, abs=0.02)
    assert bound.high == pytest.approx(high, abs=0.02)


def test_table_has_the_words_of_each_kind() -> None:
    rows = [
        Row("a", "right-1", "right", "verified", "plausible", "shown", 1.0, (), ()),
        Row("a", "cheat-1", "cheat", "disputed", "verified", "undecided", 1.0, (), ()),
        Row("b", "wrong-1", "wrong", "verified", "plausible", "shown", 1.0, (), ()),
    ]
    lines = list(summary(rows))
    assert lines[2].startswith("| right | 1 | 1 | 1 (21%-100%) | 0 (0%-79%) |")
    assert lines[-1].startswith("| all wrong | 2 | 2 | 1 (")
    assert lines[-1].count("1 (") == 3, "one verified, one disputed, one verified without the examiner"
