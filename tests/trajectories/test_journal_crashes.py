"""The crash matrix: whatever befalls the writer or its disk, the record is read, and nothing acknowledged is missing.

Times in the records go back now and then, as after a clock was put right.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sampling import sample
from trajectories.errors import RunBroken, WorkspaceError
from trajectories.journal import Journal, encode, read
from trajectories.records import Note

CASES = {
    "power": (120, 16),
    "kill": (50, 8),
    "full": (20, 4),
    "small": (10, 2),
    "readonly": (10, 3),
    "writers": (10, 2),
}
"""For each way: the number of seeds, and how many of them a run samples."""


def may_mount(folder: Path) -> bool:
    if os.geteuid():
        return False
    done = subprocess.run(["mount", "-t", "tmpfs", "none", folder], capture_output=True, check=False)
    return not done.returncode and not subprocess.run(["umount", folder], check=False).returncode


@pytest.mark.skipif(sys.platform != "linux", reason="the disk is followed through /proc")
@pytest.mark.parametrize("way", CASES)
def test_nothing_acknowledged_is_lost(tmp_path, way):
    if way == "small" and not may_mount(tmp_path):
        pytest.skip("no right to mount a small file system")
    whole, few = CASES[way]
    seeds = map(str, sample(range(whole), few))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.trajectories.crash_model", way, *seeds],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == {}, "\n".join(json.loads(done.stdout).values())


def lines(*notes: str) -> list[bytes]:
    return [encode(Note("main", "phase", note), joined=number > 0) for number, note in enumerate(notes)]


def hole(line: bytes, start: int, stop: int) -> bytes:
    return line[:start] + b"\0" * (stop - start) + line[stop:]


@pytest.mark.parametrize("spoil", [
    lambda one, two, three: hole(one, 5, 20) + two + three,
    lambda one, two, three: one + hole(two, 5, 20) + three,
    lambda one, two, three: hole(one, 5, 20) + two + hole(three, 9, 30),
    lambda one, two, three: hole(one + two, len(one) - 9, len(one) + 9) + three,
    lambda one, two, three: b"\0" * len(one + two + three),
    lambda one, two, three: hole(one, 5, 20) + two + three[:-9],
], ids=["first", "second", "two", "between", "all", "end"])  # fmt: skip
def test_hole_in_what_was_written_together_last_is_cut_out(tmp_path, spoil):
    acknowledged = lines("before")
    tmp_path.joinpath("journal.jsonl").write_bytes(acknowledged[0] + spoil(*lines("one", "two", "three")))
    found = [note.text for note in read(tmp_path).notes]
    assert found in (["before"], ["before", "one"])
    journal = Journal(tmp_path)
    journal.append(Note("main", "phase", "after"))
    journal.close()
    assert [note.text for note in read(tmp_path).notes] == [*found, "after"]


def test_hole_before_what_was_acknowledged_later_is_damage(tmp_path):
    spoiled = hole(lines("before")[0], 5, 20) + b"".join(lines("one", "two"))
    tmp_path.joinpath("journal.jsonl").write_bytes(spoiled)
    for open in (read, Journal):
        with pytest.raises(RunBroken, match="Line 1"):
            open(tmp_path)
    assert tmp_path.joinpath("journal.jsonl").read_bytes() == spoiled


def test_journal_that_is_no_file_is_clear_sentence(tmp_path):
    tmp_path.joinpath("journal.jsonl").mkdir()
    for open in (read, Journal):
        with pytest.raises(WorkspaceError, match=r"journal\.jsonl cannot be read: Is a directory\."):
            open(tmp_path)
