"""Lessons derived from the records of a run: a proof makes a success, evidence in a proof a failure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from extensions.memory.experience_bank import Bank, Entry
from extensions.memory.run_lessons import (
    LARGEST,
    LONGEST_LINE,
    MOST_PLACES,
    _definitions,
    experience_query,
    lesson_of_turn,
)
from trajectories.facts import Fact
from trajectories.git_store.trees import EMPTY_TREE, Trees
from trajectories.records import Base, Comment, Exit, Issue, Observation, Record, Reply, Run, Step, Turn
from trajectories.trajectory import Trajectory
from trajectories.verdict import Verdict

KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"
CALC = "class Calc:\n    def add(self, a, b):\n        return a - b\n\n\ndef twice(a):\n    return a * 2\n"
ISSUE = Issue("add() subtracts", "add(2, 3) gives -1.\n\n```\nTypeError: unsupported operand\n```", author="ann")
PROVEN = Verdict("verified", red=True, green=True, red_again=True, no_loss=True, tests=("tests/test_add.py::test",))
STILL = Verdict("unproven", red=True, green=False)
WEAK = Verdict("unproven", red=False, green=True, red_again=False, no_loss=True)
LOSS = Verdict("unproven", red=True, green=True, red_again=True, no_loss=False, lost=("tests/test_calc.py::test_old",))
NO_TESTS = Verdict("unproven", facts=(Fact("limit", "No test was found."),))


class Runs:
    """Builds runs that submit a change for each of the given verdicts and end with the last of them."""

    def __init__(self, trees: Trees) -> None:
        self.trees = trees
        self.base = trees.write({"calc.py": CALC.encode(), "README.md": b"Words.\n"}, EMPTY_TREE)

    def change(self, number: int, old: str = "a - b", new: str = "a + b") -> str:
        test = f"def test():\n    assert {number}\n".encode()
        text = CALC.replace(old, f"{new}  # {number}")
        return self.trees.write({"calc.py": text.encode(), "tests/test_add.py": test}, self.base)

    def trajectory(
        self, *verdicts: Verdict, issue: Issue = ISSUE, kind: str = "", strategy: str = "react", summary: str = "Added."
    ) -> Trajectory:
        records: list[Record] = [
            Run("run-1", issue, "/calc", Base("c" * 40, self.base), at=1.0),
            Turn("fix", strategy, at=1.0),
        ]
        trees = [self.change(number) for number, _ in enumerate(verdicts)]
        for n, (verdict, tree) in enumerate(zip(verdicts, trees, strict=True)):
            submission = Observation("Submitted.", data={"submitted": True, "summary": summary})
            proof = Observation("Proof.", data={"verdict": asdict(verdict)})
            records.append(Step("main", 2 * n + 1, "", "coder", tree, observations=(submission,), at=2.0))
            records.append(Step("main", 2 * n + 2, "", "proof", tree, observations=(proof,), at=2.0))
        last = verdicts[-1] if verdicts else Verdict()
        ended = kind or (last.kind if verdicts else "not_found")
        records.append(Exit(ended, 0, trees[-1] if trees else self.base, last, at=3.0))
        return Trajectory(records)

    def entry(self, *verdicts: Verdict, secrets: tuple[str, ...] = (), **more: Any) -> Entry | None:
        return lesson_of_turn(self.trajectory(*verdicts, **more), self.trees, 1_700_000_000, secrets)


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    with Trees(tmp_path / "trees.git") as trees:
        yield Runs(trees)


def test_proven_patch_is_success(runs: Runs) -> None:
    entry = runs.entry(PROVEN)
    assert entry is not None
    assert (entry.outcome, entry.ended, entry.accepted, entry.trust) == ("worked", "verified", True, "user")
    assert entry.places == ("calc.py:Calc.add",)
    assert entry.kinds == ("what is returned is changed",)
    assert "-        return a - b\n+        return a + b  # 0" in entry.change
    assert "test_add" not in entry.change
    assert entry.tests == PROVEN.tests
    assert entry.errors == ("TypeError: unsupported operand",)
    assert entry.words[0] in ("add", "subtracts")
    assert (entry.committed, entry.base) == (1_700_000_000, "c" * 40)
    assert entry.summary == "Added."


def test_proven_entry_lists_earlier_failures(runs: Runs) -> None:
    entry = runs.entry(LOSS, PROVEN)
    assert entry is not None
    assert entry.outcome == "worked"
    assert len(entry.dead_ends) == 1
    assert "calc.py:Calc.add" in entry.dead_ends[0]
    assert "it breaks tests that passed before: tests/test_calc.py::test_old" in entry.dead_ends[0]


def test_unproven_patch_is_failure_with_evidence(runs: Runs) -> None:
    entry = runs.entry(LOSS)
    assert entry is not None
    assert (entry.outcome, entry.ended) == ("failed", "unproven")
    assert entry.summary == ""
    assert "it breaks tests that passed before" in entry.dead_ends[0]


@pytest.mark.parametrize("kind", ["budget", "limit", "stuck", "not_found"])
def test_run_without_evidence_gives_no_entry(runs: Runs, kind: str) -> None:
    assert runs.entry(kind=kind) is None
    assert runs.entry(NO_TESTS, kind=kind) is None


def test_weak_test_is_no_evidence_against_patch(runs: Runs) -> None:
    assert runs.entry(WEAK) is None
    entry = runs.entry(WEAK, STILL, PROVEN)
    assert entry is not None
    assert [end.rpartition(": ")[2] for end in entry.dead_ends] == ["its test still fails with the patch"]


@pytest.mark.parametrize("strategy", ["build", "plan", "by-hand", "undo", "compact", "prove"])
def test_interactive_strategy_gives_no_entry(runs: Runs, strategy: str) -> None:
    assert runs.entry(LOSS, strategy=strategy) is None
    assert runs.entry(PROVEN, strategy=strategy) is None


def test_large_patch_is_described_by_first_places(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"m/f{number:03}.py": b"def a():\n    return 1\n" for number in range(50)}
    files["m/f000.py"] += b"# long\n" * LARGEST
    runs.base = runs.trees.write(files, EMPTY_TREE)
    changed = {path: text.replace(b"1", b"2") for path, text in files.items()}
    tree = runs.trees.write(changed, runs.base)
    monkeypatch.setattr(runs, "change", lambda number: tree)
    read: list[str] = []
    monkeypatch.setattr(
        "extensions.memory.run_lessons._definitions", lambda *given: read.append(given[3]) or _definitions(*given)
    )
    entry = runs.entry(LOSS)
    assert entry is not None
    assert len(entry.places) == MOST_PLACES
    assert entry.places[:2] == ("m/f000.py", "m/f001.py:a")
    assert len(read) == 2 * MOST_PLACES, "one half is for the patch, the other for its dead end"


def test_unfinished_run_gives_no_entry(runs: Runs) -> None:
    whole = runs.trajectory(PROVEN)
    assert lesson_of_turn(Trajectory(whole.records[:-1]), runs.trees, 0) is None


def test_later_turn_gives_entry_with_its_own_request(runs: Runs) -> None:
    first = runs.trajectory(PROVEN)
    tree = runs.change(7, "a * 2", "a + a")
    more = [Turn("twice() is slow\nPlease.", "react", at=4.0), Exit("verified", 0, tree, PROVEN, at=5.0)]
    entry = lesson_of_turn(Trajectory([*first.records, *more]), runs.trees, 0)
    assert entry is not None
    assert (entry.id, entry.run, entry.issue, entry.author) == ("run-1.2", "run-1", "twice() is slow", "")
    assert "calc.py:twice" in entry.places


@pytest.mark.parametrize(
    ("issue", "trust"),
    [
        (replace(ISSUE, trust="stranger"), "stranger"),
        (replace(ISSUE, trust="member"), "member"),
        (replace(ISSUE, comments=(Comment("bob", "Try this."),)), "stranger"),
        (replace(ISSUE, comments=(Comment("bob", "Try this.", trust="member"),)), "member"),
    ],
)
def test_entry_has_lowest_trust_of_its_authors(runs: Runs, issue: Issue, trust: str) -> None:
    entry = runs.entry(PROVEN, issue=issue)
    assert entry is not None
    assert (entry.trust, entry.accepted) == (trust, trust != "stranger")


@pytest.mark.parametrize("quoted", ['<issue trust="stranger">', "https://github.com/a/b/issues/7"])
def test_turn_that_quotes_external_text_is_not_accepted(runs: Runs, quoted: str) -> None:
    tree = runs.change(7, "a * 2", "a + a")
    more = [Turn(f"Solve this\n{quoted}", "react", at=4.0), Exit("verified", 0, tree, PROVEN, at=5.0)]
    entry = lesson_of_turn(Trajectory([*runs.trajectory(PROVEN).records, *more]), runs.trees, 0)
    assert entry is not None
    assert not entry.accepted


@pytest.mark.parametrize("quoted", ['<issue trust="stranger">', "https://github.com/a/b/issues/7"])
def test_first_request_that_quotes_external_text_is_not_accepted(runs: Runs, quoted: str) -> None:
    first = runs.trajectory(PROVEN, issue=replace(ISSUE, body=f"Solve this\n{quoted}"))
    more = [Turn("twice() is slow", "react", at=4.0), Exit("verified", 0, runs.change(7), PROVEN, at=5.0)]
    for records in (first.records, [*first.records, *more]):
        entry = lesson_of_turn(Trajectory(records), runs.trees, 0)
        assert entry is not None
        assert (entry.trust, entry.accepted) == ("stranger", False)


def test_entry_contains_no_secrets_or_control_characters(runs: Runs, tmp_path: Path) -> None:
    secret = "hunter2-hunter2"
    bad = f"\x1b[31m{KEY} {secret}"
    body = f"{bad}\n\nTypeError: {bad} at db://adm:passphrase@h:1\n"
    issue = replace(ISSUE, title=f"add() {bad}", body=body, author=bad)
    issue = replace(issue, url=f"https://ann:passphrase@h.org/1?token={secret}\x1b")
    loss = replace(LOSS, lost=(f"t::{bad}",))
    entry = runs.entry(loss, replace(PROVEN, tests=(bad,)), secrets=(secret,), issue=issue, summary=bad)
    assert entry is not None
    bank = Bank(tmp_path / "bank")
    bank.add(entry)
    stored = next(bank.folder.glob("worked/*")).read_text()
    assert "https://h.org/1?token=" in stored
    for part in (KEY, secret, "\x1b", "\\u001b", "hunter2", "passphrase"):
        assert part not in stored


def test_entry_has_lesson_of_last_reply(runs: Runs) -> None:
    secret, long = "hunter2-hunter2", "word " * 200
    texts = [
        "Cause: early",
        f"- **Cause:** \x1b[31m{long}\nApproach:\n\nMISLED: n/a",
        f"approach: use {KEY} {secret}\n",
    ]
    *records, end = runs.trajectory(PROVEN).records
    found = []
    for count, text in enumerate(texts):
        reply = Reply(text, branch=f"main/{'2.' if count else ''}lesson_writer", ask=1)
        entry = lesson_of_turn(Trajectory([*records, reply]), runs.trees, 0, (secret,), end)
        assert entry is not None
        found.append((entry.cause, entry.approach, entry.misled))
    assert found[0] == ("early", "", "")
    assert found[1][0].startswith("word word")
    assert len(found[1][0]) <= LONGEST_LINE + 1
    assert found[1][1:] == ("", "")
    assert found[2][1].startswith("use ")
    assert not {KEY, secret} & set(found[2][1].split())
    other = lesson_of_turn(Trajectory([*records, Reply(texts[0], branch="main/lesson", ask=1), end]), runs.trees, 0)
    assert other is not None
    assert not other.has_lesson


def test_similar_issue_finds_entry(runs: Runs, tmp_path: Path) -> None:
    bank = Bank(tmp_path / "bank")
    entry = runs.entry(PROVEN)
    assert entry is not None
    bank.add(entry)
    other = replace(ISSUE, title="add() of negative numbers subtracts")
    query = experience_query(other, ["calc.py:Calc.add"], 1_800_000_000)
    assert [match.entry.id for match in bank.find(query)] == ["run-1"]
    assert bank.find(experience_query(ISSUE, ["calc.py:Calc.add"], 1_800_000_000)) == [], "the entry is the answer"
    assert bank.find(experience_query(other, ["calc.py:Calc.add"], 1_600_000_000)) == [], "the entry has a later base"
