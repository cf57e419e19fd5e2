"""Lessons in words: which ones suit an issue, and scores that rise and fall with the runs that were shown them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from extensions.memory.experience_bank import Bank, Entry, ExperienceQuery
from extensions.memory.lesson_search import (
    LARGEST,
    USES,
    find_lessons,
    lesson_key,
    lesson_scores,
    record_use,
    without_poor_lesson,
)

KINDS = ("a bound is moved", "a condition is changed")
ENTRY = Entry(
    id="run-1",
    outcome="worked",
    run="run-1",
    issue="The last day is left out",
    trust="user",
    accepted=True,
    at=1.0,
    words=("day", "last"),
    places=("a.py:f",),
    kinds=KINDS,
    cause="An end that is included is excluded.",
    approach="Compare with `<=`.",
)
QUERY = ExperienceQuery({"day": 1.0, "last": 1.0}, places=("a.py:f",), kinds=KINDS, issue="Another title", run="run-9")


def banks(folder: Path, *names: str, **changes: object) -> list[Bank]:
    found = [Bank(folder / name) for name in names]
    for number, bank in enumerate(found):
        entry = replace(ENTRY, id=f"run-{number}", run=f"run-{number}", **changes)
        bank.add(entry, {"origin": bank.folder.name})
    return found


def keys(folder: Path, own: Bank | None, query: ExperienceQuery = QUERY) -> list[str]:
    return [lesson.key for lesson in find_lessons(folder, own, query)]


def test_lessons_of_own_repository_come_first(tmp_path: Path) -> None:
    other, own = banks(tmp_path, "other", "own")
    assert keys(tmp_path, own) == ["own/run-1", "other/run-0"]
    assert [lesson.by for lesson in find_lessons(tmp_path, own, QUERY)] == [("symptom", "place", "kind"), ("kind",)]
    assert keys(tmp_path, None) == ["other/run-0", "own/run-1"], "neither is the own repository's"
    assert keys(tmp_path, other, replace(QUERY, kinds=(*KINDS[:1], "x", "y"))) == ["other/run-0"], "kinds differ"


@pytest.mark.parametrize(
    "changes",
    [
        {"accepted": False},
        {"cause": "", "approach": ""},
        {"kinds": ("an order is changed",)},
        {"issue": QUERY.issue},
        {"committed": 9},
    ],
    ids=["not accepted", "no lesson", "other kind", "same issue", "later base"],
)
def test_lesson_of_other_repository_is_left_out(tmp_path: Path, changes: dict[str, object]) -> None:
    banks(tmp_path, "other", **changes)
    assert keys(tmp_path, None, replace(QUERY, committed=5)) == []


def test_score_rises_and_falls(tmp_path: Path) -> None:
    (own,) = banks(tmp_path, "own")
    key, (entry,) = lesson_key(own, own.entries()[0]), own.entries()
    scores = []
    for number, helped in enumerate([True, False, False, False, False]):
        record_use(tmp_path, f"use-{number}", [key], helped, float(number))
        record_use(tmp_path, f"use-{number}", [key], helped, float(number))  # as a killed and resumed run does
        scores.append(lesson_scores(tmp_path)[key])
    assert scores == [(0.65, 1), (0.455, 2), (0.3185, 3), (0.2229, 4), (0.156, 5)]
    assert keys(tmp_path, own) == []
    assert not without_poor_lesson(own, entry).has_lesson
    record_use(tmp_path, "use-9", [key], True, 9.0)
    assert keys(tmp_path, own) == [key]


def test_better_lesson_comes_first(tmp_path: Path) -> None:
    banks(tmp_path, "a", "b")
    record_use(tmp_path, "use", ["b/run-1"], True, 1.0)
    assert keys(tmp_path, None) == ["b/run-1", "a/run-0"]
    record_use(tmp_path, "use", ["b/run-1"], False, 1.0)
    assert keys(tmp_path, None) == ["a/run-0", "b/run-1"]


def test_concurrent_uses_are_all_counted(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: record_use(tmp_path, f"use-{n}", ["own/run-1"], n % 2 == 0, float(n)), range(40)))
    assert lesson_scores(tmp_path)["own/run-1"][1] == 40


@pytest.mark.parametrize(
    "text",
    ["", "[" * 100_000, '{"at": 1}', '{"at": "x", "helped": true, "lessons": []}', "x" * (LARGEST + 1)],
    ids=["empty", "deep", "fields", "type", "large"],
)
def test_unreadable_use_is_skipped(tmp_path: Path, text: str) -> None:
    record_use(tmp_path, "use-1", ["own/run-1"], True, 1.0)
    (tmp_path / USES / "use-2.json").write_text(text)
    (tmp_path / USES / "use-3.json").write_text(json.dumps({"at": 1, "helped": True, "lessons": [1, ["x"]]}))
    assert lesson_scores(tmp_path) == {"own/run-1": (0.65, 1)}


def test_lesson_is_written_only_if_there_is_one(tmp_path: Path) -> None:
    def lines(entry: Entry) -> Sequence[str]:
        bank = Bank(tmp_path / "own")
        bank.add(entry)
        assert bank.entries() == [entry]
        return (bank.folder / "worked" / "run-1.toml").read_text().splitlines()

    assert 'cause = "An end that is included is excluded."' in lines(ENTRY)
    assert not [line for line in lines(replace(ENTRY, cause="", approach="")) if line.startswith(("cause", "misled"))]
