"""What of a run arrives elsewhere: at every moment a run, and nothing that belongs in none."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.batch import run_upload
from agent.batch.run_upload import JOURNAL, FileChunk, Receiver, Sender, cut_incomplete_line
from trajectories.errors import WorkspaceError
from trajectories.journal import Journal, read, write_durably
from trajectories.records import Note
from trajectories.trees import EMPTY_TREE, Trees


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_upload, "PIECE", 100)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "run")
    yield opened
    opened.close()


def take_a_step(journal: Journal, trees: Trees, number: int) -> None:
    """An output and a tree, then the record that names them."""
    tree = trees.write({"a.py": b"x = %d\n" % number * 50}, EMPTY_TREE)
    out = journal.keep(b"output %d\n" % number * 60)
    journal.append(Note("main", "step", tree, {"out": out}))


def is_a_run(directory: Path) -> int:
    """How many records there are; all that they name is there."""
    records = read(directory).records if (directory / JOURNAL).exists() else []
    with Trees(directory / "trees.git") as trees:
        for note in records:
            assert isinstance(note, Note)
            assert trees.read(note.text, "a.py").startswith(b"x = ")
            assert (directory / "out" / str(note.data["out"])).read_bytes().startswith(b"output ")
    return len(records)


def test_what_has_arrived_is_run_at_every_moment(journal: Journal, tmp_path: Path) -> None:
    sender, receiver = Sender(journal.directory), Receiver(tmp_path / "kept")
    seen = set()
    with Trees(journal.directory / "trees.git") as trees:
        for number in range(3):
            take_a_step(journal, trees, 2 * number)
            take_a_step(journal, trees, 2 * number + 1)
            for part in sender.parts():
                receiver.take([part])
                if part.path == JOURNAL:
                    cut = tmp_path / "kept" / JOURNAL
                    whole = cut.read_bytes()
                    cut_incomplete_line(tmp_path / "kept")
                    seen.add(is_a_run(tmp_path / "kept"))
                    cut.write_bytes(whole)
    assert is_a_run(tmp_path / "kept") == 6
    assert len(seen) > 3
    assert list(sender.parts()) == []


def test_copy_is_run(journal: Journal, tmp_path: Path) -> None:
    with Trees(journal.directory / "trees.git") as trees:
        take_a_step(journal, trees, 1)
    patch = journal.directory / "patch.diff"
    write_durably(patch, b"--- a\n" * 100)
    write_durably(journal.directory / "proof.sh", f"git apply {shlex.quote(str(patch))}\n".encode())
    journal.append(Note("main", "x", "y"))
    kept = tmp_path / "it's kept"
    receiver = Receiver(kept)
    receiver.take(Sender(journal.directory, kept).parts())
    files = {file.relative_to(kept) for file in kept.rglob("*") if file.is_file()}
    own = {file.relative_to(journal.directory) for file in journal.directory.rglob("*") if file.is_file()}
    assert own - files == {Path("lock")}
    for path in files - {Path("proof.sh")}:
        assert (kept / path).read_bytes() == (journal.directory / path).read_bytes()
    script = (kept / "proof.sh").read_text()
    assert shlex.split(script) == ["git", "apply", str(kept / "patch.diff")]


def test_half_record_stays_here(journal: Journal) -> None:
    journal.append(Note("main", "a", "whole"))
    with (journal.directory / JOURNAL).open("ab") as file:
        file.write(b'{"type": "note", "bra')
    (part,) = [part for part in Sender(journal.directory).parts() if part.path == JOURNAL]
    assert part.data.endswith(b"\n")
    assert b"bra\n" not in part.data


def test_what_was_there_is_not_sent_back(journal: Journal, tmp_path: Path) -> None:
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
def test_what_belongs_in_no_run_is_refused(tmp_path: Path, path: str) -> None:
    receiver = Receiver(tmp_path / "kept")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(WorkspaceError, match="not part of a run"):
        receiver.take([FileChunk(path, 0, b"x")])
    assert sorted(tmp_path.rglob("*")) == before


def test_gap_is_refused(tmp_path: Path) -> None:
    receiver = Receiver(tmp_path / "kept")
    receiver.take([FileChunk(JOURNAL, 0, b"a\n")])
    for part in (FileChunk(JOURNAL, 5, b"b\n"), FileChunk(JOURNAL, 0, b"a\n"), FileChunk("out/1", 3, b"b")):
        with pytest.raises(WorkspaceError, match="but a node sent data from"):
            receiver.take([part])
    assert (tmp_path / "kept" / JOURNAL).read_bytes() == b"a\n"
    assert not (tmp_path / "kept" / "out" / "1").exists()


def test_journal_that_was_cut_back_is_told(journal: Journal) -> None:
    journal.append(Note("main", "a", "1"))
    sender = Sender(journal.directory)
    list(sender.parts())
    (journal.directory / JOURNAL).write_bytes(b"")
    with pytest.raises(WorkspaceError, match="was truncated"):
        list(sender.parts())
