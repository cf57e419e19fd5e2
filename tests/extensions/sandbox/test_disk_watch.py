"""The limit on the size of a sandbox's files."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aci.docker import disk_quota
from extensions.sandbox.disk_watch import BYTES_PER_FILE, DiskWatch, Space, folder_usage

MIB = 1 << 20
SMALL = 700 << 10  # more than what makes the watch count files, if the limit is 8 MiB
Watch = Callable[..., DiskWatch]


def wait_for(ended: list[float], count: int, seconds: float = 10.0) -> bool:
    """Return whether all processes are ended this many times before the time is over."""
    end = time.monotonic() + seconds
    while len(ended) < count and time.monotonic() < end:
        time.sleep(0.02)
    return len(ended) >= count


def fill(folder: Path, ended: list[float], count: int, size: int = 2 * MIB) -> bool:
    """Write files until all processes are ended this many times, since other programs free space of the same disk."""
    for number in range(50):
        for part in range(1 if size else 50):
            write(folder / f"{count}-{number}-{part}", size)
        if wait_for(ended, count, 0.1):
            return True
    return False


def write(file: Path, size: int) -> None:
    """Write a file of this size to the disk."""
    with file.open("wb") as opened:
        opened.write(os.urandom(size))
        opened.flush()
        os.fsync(opened.fileno())


@pytest.fixture
def ended() -> list[float]:
    """The times at which all processes were ended."""
    return []


@pytest.fixture
def watch(tmp_path: Path, ended: list[float]) -> Iterator[Watch]:
    """`watch(limit, folder, …)` watches these folders, or else `tmp_path`."""
    started: list[DiskWatch] = []

    def start(limit: int, *folders: Path) -> DiskWatch:
        started.append(DiskWatch(folders or [tmp_path], limit, lambda: ended.append(time.monotonic())))
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.mark.slow
def test_processes_are_ended_if_files_exceed_the_limit(watch: Watch, ended: list[float], tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    started = watch(8 * MIB, made)
    write(tmp_path / "large", 40 * MIB)
    write(made / "small", 6 * MIB)
    assert not wait_for(ended, 1, 0.5)
    assert started.notice() == b""
    (tmp_path / "large").rename(made / "large")
    assert fill(made, ended, 1, SMALL)
    sizes = rb"\d+ MiB in \d+ files were written; the limit is 8 MiB and 819 files"
    assert re.match(rb"\[The disk is full: %b\. All processes were ended\." % sizes, wait_for_notice(started))
    assert started.notice() == b"", "it is reported once"
    assert not started.was_short(0.0)
    write(made / "temporary", SMALL)
    assert not wait_for(ended, 2, 0.5), "removing files may write a little"
    assert fill(made, ended, 2)


def wait_for_notice(watch: DiskWatch) -> bytes:
    """Return the notice, which appears when all processes were ended."""
    found = watch.notice()
    while not found:
        time.sleep(0.02)
        found = watch.notice()
    return found


def test_number_of_files_is_limited(watch: Watch, ended: list[float], tmp_path: Path) -> None:
    started = watch(200 * BYTES_PER_FILE)
    assert fill(tmp_path, ended, 1, 0)
    assert b" files were written; the limit is 2 MiB and 200 files" in wait_for_notice(started)
    assert len(list(tmp_path.iterdir())) > 200


def test_files_of_all_folders_count(watch: Watch, ended: list[float], tmp_path: Path) -> None:
    for name in ("a", "b", "other"):
        (tmp_path / name).mkdir()
    watch(8 * MIB, tmp_path / "a", tmp_path / "b")
    write(tmp_path / "other/large", 12 * MIB)
    write(tmp_path / "a/file", 7 * MIB)
    assert not wait_for(ended, 1, 0.5)
    assert fill(tmp_path / "b", ended, 1, MIB)
    assert folder_usage(tmp_path / "b").bytes < 7 * MIB


@pytest.mark.slow
def test_processes_are_ended_if_little_space_is_free(
    watch: Watch, ended: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 4096 * MIB
    monkeypatch.setattr(disk_quota, "free_bytes", lambda folder: free)
    began = time.monotonic()
    started = watch(1 << 40)
    assert not wait_for(ended, 1, 0.5)
    free = 500 * MIB
    assert wait_for(ended, 1)
    assert b"only 500 MiB are free" in wait_for_notice(started)
    assert started.was_short(began)
    assert not started.was_short(time.monotonic())
    assert not wait_for(ended, 2, 0.5), "another program may have filled the disk"


def test_stopped_watch_ends_nothing(watch: Watch, ended: list[float], tmp_path: Path) -> None:
    watch(MIB).stop()
    write(tmp_path / "large", 4 * MIB)
    assert not wait_for(ended, 1, 0.5)


def test_removed_folder_does_not_end_the_watch(watch: Watch, ended: list[float], tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    watch(MIB, tmp_path / "made")
    (tmp_path / "made").rmdir()
    time.sleep(0.5)
    (tmp_path / "made").mkdir()
    assert fill(tmp_path / "made", ended, 1)


def test_usage_counts_links_but_not_their_targets(tmp_path: Path) -> None:
    (tmp_path / "made/inner").mkdir(parents=True)
    write(tmp_path / "large", 4 * MIB)
    write(tmp_path / "made/inner/small", 64 << 10)
    (tmp_path / "made/link").symlink_to(tmp_path / "large")
    (tmp_path / "made/folder").symlink_to(tmp_path)
    found = folder_usage(tmp_path / "made")
    assert (found.files, found.is_complete) == (4, True)
    assert 64 << 10 <= found.bytes < MIB


def test_usage_counts_blocks_of_sparse_files(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 30)
    assert folder_usage(tmp_path).bytes < MIB


def test_usage_of_folders_with_very_long_paths(tmp_path: Path) -> None:
    name, depth = "x" * 200, 30
    descriptor = os.open(tmp_path, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=descriptor)
        inner = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)
    assert folder_usage(tmp_path).files == depth


def test_usage_of_deep_folders_is_incomplete(tmp_path: Path) -> None:
    """Counting all levels would take a descriptor for each, and the harness would have none left."""
    folder = tmp_path
    for _ in range(150):
        folder = folder / "d"
        folder.mkdir()
    found = folder_usage(tmp_path)
    assert not found.is_complete
    assert 90 < found.files < 150


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every folder")
def test_unreadable_folder_makes_usage_incomplete(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    found = folder_usage(tmp_path)
    (tmp_path / "closed").chmod(0o700)
    assert found == Space(found.bytes, 1, False)
