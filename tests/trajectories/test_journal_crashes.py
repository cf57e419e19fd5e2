"""The crash matrix: after any failure of the writer or its disk, the journal is readable and complete.

Times in the records sometimes go back, as after a correction of the clock.
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

pytestmark = pytest.mark.slow

CASES = {
    "power": (120, 16),
    "kill": (50, 8),
    "full": (20, 4),
    "small": (10, 2),
    "readonly": (10, 3),
    "writers": (10, 2),
}
"""For each kind of crash: the number of seeds, and how many of them are sampled in one test run."""


def may_mount(folder: Path) -> bool:
    if os.geteuid():
        return False
    mounting = subprocess.run(["mount", "-t", "tmpfs", "none", folder], capture_output=True, check=False)
    return not mounting.returncode and not subprocess.run(["umount", folder], check=False).returncode


@pytest.mark.skipif(sys.platform != "linux", reason="the disk is followed through /proc")
@pytest.mark.parametrize("way", CASES)
def test_no_acknowledged_record_is_lost(tmp_path, way):
    if way == "small" and not may_mount(tmp_path):
        pytest.skip("no right to mount a small file system")
    seed_count, sample_size = CASES[way]
    seeds = map(str, sample(range(seed_count), sample_size))
    result = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.trajectories.crash_model", way, *seeds],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(result.stdout) == {}, "\n".join(json.loads(result.stdout).values())


def lines(*notes: str) -> list[bytes]:
    return [encode(Note("main", "phase", note), joined=number > 0) for number, note in enumerate(notes)]


def zero_bytes(line: bytes, start: int, stop: int) -> bytes:
    return line[:start] + b"\0" * (stop - start) + line[stop:]


@pytest.mark.parametrize("damage", [
    lambda one, two, three: zero_bytes(one, 5, 20) + two + three,
    lambda one, two, three: one + zero_bytes(two, 5, 20) + three,
    lambda one, two, three: zero_bytes(one, 5, 20) + two + zero_bytes(three, 9, 30),
    lambda one, two, three: zero_bytes(one + two, len(one) - 9, len(one) + 9) + three,
    lambda one, two, three: b"\0" * len(one + two + three),
    lambda one, two, three: zero_bytes(one, 5, 20) + two + three[:-9],
], ids=["first", "second", "two", "between", "all", "end"])  # fmt: skip
def test_zeros_in_last_append_are_cut(tmp_path, damage):
    earlier_lines = lines("before")
    tmp_path.joinpath("journal.jsonl").write_bytes(earlier_lines[0] + damage(*lines("one", "two", "three")))
    texts = [note.text for note in read(tmp_path).notes]
    assert texts in (["before"], ["before", "one"])
    journal = Journal(tmp_path)
    journal.append(Note("main", "phase", "after"))
    journal.close()
    assert [note.text for note in read(tmp_path).notes] == [*texts, "after"]


def test_zeros_before_later_append_are_damage(tmp_path):
    damaged = zero_bytes(lines("before")[0], 5, 20) + b"".join(lines("one", "two"))
    tmp_path.joinpath("journal.jsonl").write_bytes(damaged)
    for reader in (read, Journal):
        with pytest.raises(RunBroken, match="Line 1"):
            reader(tmp_path)
    assert tmp_path.joinpath("journal.jsonl").read_bytes() == damaged


def test_journal_that_is_folder_is_reported(tmp_path):
    tmp_path.joinpath("journal.jsonl").mkdir()
    for reader in (read, Journal):
        with pytest.raises(WorkspaceError, match=r"journal\.jsonl cannot be read: Is a directory\."):
            reader(tmp_path)
