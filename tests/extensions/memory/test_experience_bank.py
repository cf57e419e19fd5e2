"""The experience bank: entries in files that people can edit, and the search for similar entries."""

from __future__ import annotations

import os
import tempfile
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extensions.memory import experience_bank as experience
from extensions.memory.experience_bank import MOST, Bank, Entry, ExperienceQuery
from trajectories.errors import UsageError, WorkspaceError

CRASH = Entry(
    id="run-1",
    outcome="worked",
    run="run-1",
    issue="Letters without a title crash",
    trust="user",
    accepted=True,
    at=10.0,
    committed=100,
    words=("letters", "title", "crash", "customer"),
    errors=("AttributeError: 'NoneType' object has no attribute 'capitalize'",),
    places=("shop/customers.py:greeting",),
    kinds=("a missing value is handled",),
)
QUERY = ExperienceQuery(
    words={"letters": 2.0, "title": 1.0, "customer": 1.0},
    errors=("AttributeError: 'NoneType' object has no attribute 'strip'",),
    places=("shop/customers.py:greeting", "shop/sheets.py"),
    kinds=("a missing value is handled",),
    committed=200,
)


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    return Bank(tmp_path / "shop-1")


def found_ids(bank: Bank, query: ExperienceQuery = QUERY) -> list[str]:
    return [match.entry.id for match in bank.find(query)]


TEXTS = st.text(max_size=60)
LISTS = st.lists(TEXTS, max_size=4).map(tuple)
ENTRIES = st.builds(
    Entry,
    id=st.just("run-1"),
    outcome=st.sampled_from(["worked", "failed"]),
    run=TEXTS,
    issue=TEXTS,
    trust=st.sampled_from(["user", "member", "stranger"]),
    accepted=st.booleans(),
    at=st.floats(0, 4e9),
    committed=st.integers(0, 2**33),
    symptom=st.one_of(TEXTS, st.just("a\r\nb'''\n\"\"\"\\u0000\x7f'")),
    errors=LISTS,
    places=LISTS,
    dead_ends=LISTS,
)


@pytest.mark.slow
@given(ENTRIES)
@settings(max_examples=60, deadline=None)
def test_added_entry_is_read_unchanged(entry: Entry) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bank = Bank(Path(folder))
        bank.add(entry)
        assert bank.entries() == [entry]


def test_entry_file_is_readable_and_private(bank: Bank) -> None:
    bank.add(replace(CRASH, change="-    a\n+    b"))
    text = (bank.folder / "worked" / "run-1.toml").read_text()
    assert 'places = ["shop/customers.py:greeting"]' in text
    assert "change = '''\n-    a\n+    b'''" in text
    assert (bank.folder / "worked" / "run-1.toml").stat().st_mode & 0o077 == 0
    assert (bank.folder / "worked").stat().st_mode & 0o077 == 0


def test_success_and_failure_are_in_separate_folders(bank: Bank) -> None:
    bank.add(CRASH)
    bank.add(replace(CRASH, id="run-2", outcome="failed"))
    assert sorted(file.relative_to(bank.folder).as_posix() for file in bank.folder.glob("*/*.toml")) == [
        "failed/run-2.toml",
        "worked/run-1.toml",
    ]
    bank.add(replace(CRASH, outcome="failed", change="+b"))  # the run was resumed and ended differently
    assert [entry.outcome for entry in bank.entries()] == ["failed", "failed"]


DAMAGED = (
    "no toml",
    'id = "run-1"',
    'id = "run-1"\noutcome = "worked"\nrun = 1\nissue = "x"',
    'id = "run-1"\noutcome = "worked"\nrun = "x"\nissue = "x"\naccepted = 1',
    'id = "run-1"\noutcome = "worked"\nrun = "x"\nissue = "x"\nplaces = "a"',
    'id = "run-1"\noutcome = "worked"\nrun = "x"\nissue = "x"\ntrust = "root"',
    'id = "run-2"\noutcome = "worked"\nrun = "x"\nissue = "x"',
    'id = "run-1"\noutcome = "failed"\nrun = "x"\nissue = "x"',
    'id = "run-1"\noutcome = "worked"\nrun = "x"\nissue = "x"\nmore = "x"',
    'id = "run-1"\noutcome = "worked"\nrun = "x"\nissue = "x"\nat = 1e300',
    'id = "run-1"\noutcome = "worked"\nrun = "x"\nissue = "x"\nat = nan',
    "a = [" * 5000,
    "x" * 60_000,
)


@pytest.mark.parametrize("text", DAMAGED, ids=range(len(DAMAGED)))
def test_damaged_file_is_reported_and_skipped(bank: Bank, text: str) -> None:
    bank.add(replace(CRASH, id="run-0"))
    file = bank.folder / "worked" / "run-1.toml"
    file.write_text(text)
    problems: list[str] = []
    assert [entry.id for entry in bank.entries(problems)] == ["run-0"]
    assert len(problems) == 1
    assert str(file) in problems[0]


def test_only_similar_entries_are_found(bank: Bank) -> None:
    bank.add(CRASH)
    assert found_ids(bank) == ["run-1"]
    assert bank.find(QUERY)[0].by == ("symptom", "place", "kind")
    assert found_ids(bank, ExperienceQuery(words={"invoice": 1.0}, places=("shop/days.py:last_day",))) == []
    assert found_ids(bank, ExperienceQuery()) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"accepted": False}, "it waits"),
        ({"committed": 201}, "it is of a later base"),
        ({"issue": " Letters  WITHOUT a title"}, "it solved this very issue"),
        ({"url": "https://github.com/a/b/issues/1"}, "it solved this very issue"),
        ({"run": "run-9"}, "it is the run's own"),
    ],
)
def test_excluded_entry_is_not_found(bank: Bank, change: dict, reason: str) -> None:
    query = replace(QUERY, issue="Letters without a title", url="https://github.com/a/b/issues/1", run="run-9")
    bank.add(CRASH)
    assert found_ids(bank, query) == ["run-1"]
    bank.add(replace(CRASH, **change))
    assert found_ids(bank, query) == [], reason


def test_failure_of_same_issue_is_found(bank: Bank) -> None:
    bank.add(replace(CRASH, outcome="failed"))
    assert found_ids(bank, replace(QUERY, issue=CRASH.issue)) == ["run-1"]


def test_entry_can_be_accepted_and_forgotten(bank: Bank) -> None:
    bank.add(replace(CRASH, accepted=False))
    assert found_ids(bank) == []
    bank.accept(bank.named("run"))
    assert found_ids(bank) == ["run-1"]
    bank.forget(bank.named("run-1"))
    assert not bank


def test_unknown_or_ambiguous_name_is_refused(bank: Bank) -> None:
    with pytest.raises(UsageError, match="There is no entry named 'x'"):
        bank.named("x")
    bank.add(CRASH)
    bank.add(replace(CRASH, id="run-12", issue="Another"))
    with pytest.raises(UsageError, match="2 entries begin with 'run'"):
        bank.named("run")
    assert bank.named("run-1").id == "run-1"


def test_oldest_entries_are_dropped(bank: Bank) -> None:
    for number in range(3):
        (bank.folder / "worked").mkdir(parents=True, exist_ok=True)
        bank.add(replace(CRASH, id=f"run-{number}", issue=f"Number {number}", at=float(number)))
    for number in range(3, MOST + 2):
        text = (bank.folder / "worked" / "run-2.toml").read_text().replace("run-2", f"run-{number}")
        (bank.folder / "worked" / f"run-{number}.toml").write_text(text.replace("at = 2.0", f"at = {number}.0"))
    bank.add(replace(CRASH, id="last", issue="Another", at=9e9))
    ids = [entry.id for entry in bank.entries()]
    assert len(ids) == MOST
    assert ids[0] == "last"
    assert not {"run-0", "run-1", "run-2"} & set(ids)


def test_unaccepted_entries_do_not_displace_accepted_ones(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extensions.memory.experience_bank.MOST", 2)
    for number in range(6):
        bank.add(replace(CRASH, id=f"run-{number}", issue=f"Number {number}", at=number, accepted=number < 3))
    assert [entry.id for entry in bank.entries()] == ["run-5", "run-4", "run-2", "run-1"]


def test_unwritable_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("a file")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        Bank(tmp_path / "shop").add(CRASH)


def test_all_field_types_of_entry_are_checked() -> None:
    known = {"str", "Outcome", "Trust", "bool", "float", "int", "tuple[str, ...]"}
    assert {str(each.type) for each in fields(Entry)} <= known


def test_duplicate_entry_is_not_added(bank: Bank) -> None:
    bank.add(replace(CRASH, id="run-2", accepted=False, trust="stranger"))
    bank.add(CRASH)
    bank.add(replace(CRASH, id="run-3", accepted=False, trust="stranger"))
    bank.add(replace(CRASH, id="run-4"))
    assert [entry.id for entry in bank.entries()] == ["run-1", "run-2"]
    bank.add(replace(CRASH, id="run-5", change="+another"))
    assert len(bank.entries()) == 3


def test_untrusted_folder_is_read_with_limits(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    bank.add(CRASH)
    os.mkfifo(bank.folder / "worked" / "pipe.toml")
    problems: list[str] = []
    assert bank.entries(problems) == [CRASH]
    assert "not a regular file" in problems[0]
    monkeypatch.setattr(experience, "MOST_FILES", 0)
    assert bank.entries(problems) == []
    assert "has more than 0 entries; the others are not read" in problems[-1]
