"""The journal keeps its records, whatever happens to the process that writes it."""

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import asdict, fields
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trajectories import journal as journals
from trajectories.errors import RunBroken, TryLater, UsageError, WorkspaceError
from trajectories.journal import Journal, Lines, decode, encode, read
from trajectories.records import (
    Action,
    Base,
    Exit,
    Hold,
    Issue,
    Note,
    Observation,
    Once,
    Record,
    Reply,
    Run,
    Settle,
    Step,
    Turn,
    Usage,
)
from trajectories.trajectory import Trajectory
from trajectories.verdict import Verdict

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
actions = st.builds(Action, tool=texts, arguments=st.dictionaries(texts, values, max_size=3), id=texts, error=texts)
observations = st.builds(
    Observation, text=texts, ok=st.booleans(), out=st.none() | st.integers(1, 99), data=st.just({})
)
usages = st.builds(Usage, st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
FIELDS = {str: texts, int: st.integers(0, 99), float: st.floats(0, 9), Any: values, dict[str, Any]: st.just({})}
HAND_WRITTEN = Run, Turn, Reply, Step, Once, Hold, Settle, Note, Exit
"""Records whose strategies are written by hand here, or that other tests vary."""


def record_strategy(kind):
    """Return a strategy for a record type that varies every field by its type."""
    hints = {field.name: get_type_hints(kind)[field.name] for field in fields(kind) if field.name != "type"}
    values_of = {name: FIELDS[hint] if hint in FIELDS else st.from_type(hint) for name, hint in hints.items()}
    return st.builds(kind, **values_of)


other_records = [record_strategy(kind) for kind in get_args(Record) if kind not in HAND_WRITTEN]
records = st.one_of(
    *other_records,
    st.builds(Reply, text=texts, actions=st.lists(actions, max_size=3).map(tuple), blocks=st.lists(texts).map(tuple)),
    st.builds(
        Step,
        branch=texts,
        n=st.integers(1, 99),
        parent=texts,
        author=texts,
        tree=texts,
        reply=st.none() | st.integers(1, 9),
        actions=st.lists(actions, max_size=2).map(tuple),
        observations=st.lists(observations, max_size=2).map(tuple),
    ),
    st.builds(Once, branch=texts, name=texts, value=values),
    st.builds(Hold, texts, st.integers(1, 9), st.integers(1, 9), texts, st.none() | st.floats(0, 9), st.integers(0, 9)),
    st.builds(Settle, texts, usages, st.none() | st.floats(0, 9), st.sampled_from(["usage", "none"])),
    st.builds(Note, branch=texts, kind=texts, text=texts),
    st.builds(Exit, kind=texts, code=st.integers(0, 130), verdict=st.builds(Verdict, lost=st.lists(texts).map(tuple))),
)


@pytest.mark.slow
@given(records)
def test_record_is_decoded_unchanged(record):
    line = encode(record)
    assert line.count(b"\n") == 1
    assert decode(line) == record


@pytest.mark.slow
@given(st.lists(records, min_size=1, max_size=6), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_incomplete_last_line_is_cut(tmp_path_factory, appended, at):
    folder = tmp_path_factory.mktemp("run")
    journal = Journal(folder)
    journal.append(*appended)
    journal.close()
    data = journal.path.read_bytes()
    cut = at % (len(data) + 1)
    journal.path.write_bytes(data[:cut])
    count = data[:cut].count(b"\n")

    reopened = Journal(folder)
    assert reopened.trajectory.records == appended[:count]
    reopened.append(Note("main", "phase", "after the crash"))
    reopened.close()
    assert len(read(folder).records) == count + 1


def test_damage_before_end_is_reported_and_nothing_is_cut(tmp_path):
    journal = Journal(tmp_path)
    journal.append(Note("main", "phase", "one"), Note("main", "phase", "two"))
    journal.close()
    lines = journal.path.read_bytes().splitlines(keepends=True)
    journal.path.write_bytes(lines[0][:20] + b"\n" + lines[1])
    with pytest.raises(RunBroken, match="Line 1"):
        Journal(tmp_path)
    assert len(journal.path.read_bytes().splitlines()) == 2


def test_line_being_written_is_not_damage(tmp_path):
    """A later read returns only records that were completed since."""
    first, second, third = (encode(Note("main", "phase", word)) for word in ("one", "two", "three"))
    lines = Lines(tmp_path / "journal.jsonl")
    assert [note.text for note in lines.records([first, second[:30], second[30:], third])] == ["one"]
    assert [note.text for note in lines.records([second, third])] == ["two", "three"]
    with pytest.raises(RunBroken, match="Line 4 "):
        list(lines.records([b"no record\n", third]))


def test_half_surrogate_pair_does_not_stop_journal(tmp_path):
    journal = Journal(tmp_path)
    journal.append(Note("main", "summary", "half \ud83d of it"))
    assert journal.trajectory.notes[0].text == "half ? of it"
    journal.close()
    assert read(tmp_path).notes == journal.trajectory.notes


def test_second_process_on_same_run_is_refused(tmp_path):
    journal = Journal(tmp_path)
    code = f"from pathlib import Path\nfrom trajectories.journal import Journal\nJournal(Path({str(tmp_path)!r}))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "TryLater: Another process is working on the run" in other.stderr
    with pytest.raises(TryLater):
        Journal(tmp_path)
    journal.close()
    Journal(tmp_path).close()


@pytest.mark.slow
def test_killed_writer_leaves_whole_records_and_no_lock(tmp_path):
    code = textwrap.dedent(f"""
        from pathlib import Path
        from trajectories.journal import Journal
        from trajectories.records import Note
        journal = Journal(Path({str(tmp_path)!r}))
        while True:
            address = journal.keep(b"output " * 100)
            journal.append(Note("main", "phase", str(address)))
            print(address, flush=True)
    """)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    confirmed = [int(process.stdout.readline()) for _ in range(50)]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()

    journal = Journal(tmp_path)
    addresses = [int(note.text) for note in journal.trajectory.notes]
    assert addresses[: len(confirmed)] == confirmed
    assert all(journal.recall(address) == b"output " * 100 for address in addresses)
    assert journal.keep(b"more") > max(addresses)
    journal.close()


def test_folder_without_run_is_reported(tmp_path):
    with pytest.raises(UsageError, match="There is no run in"):
        read(tmp_path)


def test_only_user_may_read_run(tmp_path):
    journal = Journal(tmp_path / "run")
    journal.append(Run("r", Issue("t"), "/repo", Base("c", "t")))
    journal.close()
    assert oct((tmp_path / "run").stat().st_mode & 0o777) == "0o700"
    assert oct(journal.path.stat().st_mode & 0o777) == "0o600"


def test_live_time_excludes_time_after_end_of_turn():
    trajectory = Trajectory(
        (
            Turn("fix", "react", at=100.0),
            Exit("answered", 0, at=110.0),
            Note("main", "done", "applied", at=500.0),
            Note("main", "life", "paused for 60 s", at=600.0),
            Note("main", "done", "applied", at=700.0),
            Turn("more", "react", at=800.0),
            Exit("answered", 0, at=805.0),
            Note("main", "done", "applied", at=900.0),
        )
    )
    assert (trajectory.live_seconds(), trajectory.turn_seconds()) == (15.0, 5.0)


def test_live_time_excludes_pause_before_resume(tmp_path):
    journal = Journal(tmp_path)
    journal.append(
        Note("main", "phase", "a", at=100.0),
        Note("main", "phase", "b", at=107.0),
        Note("main", "life", "", at=500.0),
        Note("main", "phase", "c", at=503.0),
    )
    assert journal.trajectory.live_seconds() == 10.0
    journal.close()


def test_records_are_plain_data():
    assert asdict(Step("main", 1, "", "coder", "t"))["type"] == "step"
    assert Step("main/try-2", 3, "", "coder", "t").id == "main/try-2#3"
    assert Hold("main", 2, 1, "m", None, 10).id == "main?2.1"


def test_untrusted_journal_has_limits(tmp_path, monkeypatch):
    path = tmp_path / "journal.jsonl"
    note = encode(Note("main", "phase", "x", {"deep": [[]] * 3_000}))
    path.write_bytes(note * 3)
    assert len(read(tmp_path).notes) == 3
    with monkeypatch.context() as patch:
        patch.setattr(journals, "MOST_VALUES", 5_000)
        with pytest.raises(RunBroken, match="has more than 5,000 values"):
            read(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(journals, "MOST_RECORDS", 2)
        for reader in (read, Journal):
            with pytest.raises(RunBroken, match="has more than 2 records"):
                reader(tmp_path)
    with path.open("wb") as file:
        file.truncate((1 << 30) + 1)
    for reader in (read, Journal):
        with pytest.raises(RunBroken, match="has more than 1,073,741,824 bytes"):
            reader(tmp_path)


def test_journal_that_is_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "journal.jsonl")
    for reader in (read, Journal):
        with pytest.raises(WorkspaceError, match="cannot be read: it is not a regular file"):
            reader(tmp_path)


@pytest.mark.parametrize("kind", ["verified", "faster"])
def test_exit_is_verified_only_with_that_verdict(kind: str) -> None:
    line = f'{{"kind":"{kind}","code":0,"verdict":{{"kind":"none"}},"type":"exit"}}\n'.encode()
    exit = decode(line)
    assert isinstance(exit, Exit)
    assert (exit.kind, exit.code) == ("unproven", 6)
    assert Exit(kind, 0, verdict=Verdict(kind)).kind == kind
