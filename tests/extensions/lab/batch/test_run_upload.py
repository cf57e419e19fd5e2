"""Upload of a run: the copy is a valid run at every moment, and other files are rejected."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from extensions.lab.batch import run_upload
from extensions.lab.batch.run_upload import JOURNAL, FileChunk, Receiver, Sender, cut_incomplete_line
from trajectories.errors import WorkspaceError
from trajectories.git_store.trees import EMPTY_TREE, Trees
from trajectories.journal import Journal, read, write_durably
from trajectories.records import Note


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_upload, "PIECE", 100)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    run_journal = Journal(tmp_path / "run")
    yield run_journal
    run_journal.close()


def write_step(journal: Journal, trees: Trees, number: int) -> None:
    """Write an output and a tree, then the record that names them."""
    tree = trees.write({"a.py": b"x = %d\n" % number * 50}, EMPTY_TREE)
    out = journal.keep(b"output %d\n" % number * 60)
    journal.append(Note("main", "step", tree, {"out": out}))


def count_valid_records(directory: Path) -> int:
    """Count the records, and check that everything they name exists."""
    records = read(directory).records if (directory / JOURNAL).exists() else []
    with Trees(directory / "trees.git") as trees:
        for note in records:
            assert isinstance(note, Note)
            assert trees.read(note.text, "a.py").startswith(b"x = ")
            assert (directory / "out" / str(note.data["out"])).read_bytes().startswith(b"output ")
    return len(records)


def test_partial_upload_is_always_valid_run(journal: Journal, tmp_path: Path) -> None:
    sender, receiver = Sender(journal.directory), Receiver(tmp_path / "copy")
    record_counts = set()
    with Trees(journal.directory / "trees.git") as trees:
        for number in range(3):
            write_step(journal, trees, 2 * number)
            write_step(journal, trees, 2 * number + 1)
            for part in sender.parts():
                receiver.take([part])
                if part.path == JOURNAL:
                    cut = tmp_path / "copy" / JOURNAL
                    whole = cut.read_bytes()
                    cut_incomplete_line(tmp_path / "copy")
                    record_counts.add(count_valid_records(tmp_path / "copy"))
                    cut.write_bytes(whole)
    assert count_valid_records(tmp_path / "copy") == 6
    assert len(record_counts) > 3
    assert list(sender.parts()) == []


def test_uploaded_copy_is_complete_run(journal: Journal, tmp_path: Path) -> None:
    with Trees(journal.directory / "trees.git") as trees:
        write_step(journal, trees, 1)
    patch = journal.directory / "patch.diff"
    write_durably(patch, b"--- a\n" * 100)
    write_durably(journal.directory / "proof.sh", f"git apply {shlex.quote(str(patch))}\n".encode())
    journal.append(Note("main", "x", "y"))
    copy = tmp_path / "it's a copy"
    receiver = Receiver(copy)
    receiver.take(Sender(journal.directory, copy).parts())
    files = {file.relative_to(copy) for file in copy.rglob("*") if file.is_file()}
    originals = {file.relative_to(journal.directory) for file in journal.directory.rglob("*") if file.is_file()}
    assert originals - files == {Path("lock")}
    for path in files - {Path("proof.sh")}:
        assert (copy / path).read_bytes() == (journal.directory / path).read_bytes()
    script = (copy / "proof.sh").read_text()
    assert shlex.split(script) == ["git", "apply", str(copy / "patch.diff")]


def test_incomplete_record_is_not_sent(journal: Journal) -> None:
    journal.append(Note("main", "a", "whole"))
    with (journal.directory / JOURNAL).open("ab") as file:
        file.write(b'{"type": "note", "bra')
    (part,) = [part for part in Sender(journal.directory).parts() if part.path == JOURNAL]
    assert part.data.endswith(b"\n")
    assert b"bra\n" not in part.data


def test_received_files_are_not_sent_back(journal: Journal, tmp_path: Path) -> None:
    journal.append(Note("main", "a", "1"))
    receiver = Receiver(tmp_path / "node")
    receiver.take(Sender(journal.directory).parts())
    back = Sender(tmp_path / "node", sent=True)
    assert list(back.parts()) == []
    with (tmp_path / "node" / JOURNAL).open("ab") as file:
        file.write(b"{}\n")
    assert [(part.path, part.data) for part in back.parts()] == [(JOURNAL, b"{}\n")]


@pytest.mark.parametrize(
    "path",
    [
        "../journal.jsonl", "/etc/passwd", "lock", ".journal.jsonl.new", "out/../../x", "out/1/2", "trees.git/config",
        "trees.git/hooks/post-checkout", "trees.git/info/attributes", "trees.git/objects/info/alternates",
        "trees.git/objects/pack/../../config", "journal.jsonl\n", "trees.git/HEAD", "sub/patch.diff",
    ],
)  # fmt: skip
def test_path_outside_run_is_rejected(tmp_path: Path, path: str) -> None:
    receiver = Receiver(tmp_path / "copy")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(WorkspaceError, match="not part of a run"):
        receiver.take([FileChunk(path, 0, b"x")])
    assert sorted(tmp_path.rglob("*")) == before


def test_gap_in_data_is_rejected(tmp_path: Path) -> None:
    receiver = Receiver(tmp_path / "copy")
    receiver.take([FileChunk(JOURNAL, 0, b"a\n")])
    for part in (FileChunk(JOURNAL, 5, b"b\n"), FileChunk(JOURNAL, 0, b"a\n"), FileChunk("out/1", 3, b"b")):
        with pytest.raises(WorkspaceError, match="but a node sent data from"):
            receiver.take([part])
    assert (tmp_path / "copy" / JOURNAL).read_bytes() == b"a\n"
    assert not (tmp_path / "copy" / "out" / "1").exists()


def test_truncated_journal_is_rejected(journal: Journal) -> None:
    journal.append(Note("main", "a", "1"))
    sender = Sender(journal.directory)
    list(sender.parts())
    (journal.directory / JOURNAL).write_bytes(b"")
    with pytest.raises(WorkspaceError, match="was truncated"):
        list(sender.parts())
