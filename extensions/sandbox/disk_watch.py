"""A limit on the size of a sandbox's files, which lie on a disk of this machine without a quota."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread

from aci.docker.disk_quota import DiskSpace
from trajectories.errors import WorkspaceError

BYTES_PER_FILE = 10 << 10
_INTERVAL = 0.2  # seconds between two checks of the free space
_MEASURING = 16  # files are counted again once free space or files have fallen by this fraction of the limit
_BEYOND = 1.05  # tolerated growth after processes were ended, since removing files may write a little
_DEPTH = 100  # folders below it are not counted one by one, since `os.fwalk` holds a descriptor for each level
_PAUSE = 4.0  # after counting, this many times its duration passes before the next count


class DiskWatch:
    """A thread that calls `end_all` if the files in `folders` exceed `limit` bytes, or their disk is nearly full."""

    def __init__(self, folders: Sequence[Path], limit: int, end_all: Callable[[], None]) -> None:
        self._folders, self._limit, self._end_all = folders, limit, end_all
        self._space = DiskSpace([str(folders[0])])
        self._at_start = _free(folders[0])
        self._allowed = 1.0
        self._short_at = float("-inf")
        self._notice = b""
        self._lock, self._stop = Lock(), Event()
        self._thread = Thread(target=self._watch, name="disk-watch", daemon=True)
        self._thread.start()

    def notice(self) -> bytes:
        """Return the message that the session should report once; empty if there is none."""
        with self._lock:
            notice, self._notice = self._notice, b""
        return notice

    def was_short(self, since: float) -> bool:
        """Return whether all processes were ended after `since` because the disk was short of space."""
        return self._short_at >= since

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(10.0)

    def _watch(self) -> None:
        counted, next_count = self._at_start, 0.0
        while not self._stop.wait(_INTERVAL):
            try:
                if self._space.is_short():
                    self._short_at = time.monotonic()
                    self._end(f"only {self._space.free / 2**20:,.0f} MiB are free")
                    self._space.reset_floor()
                free = _free(self._folders[0])
                grown = max(counted.bytes - free.bytes, (counted.files - free.files) * BYTES_PER_FILE)
                if grown > self._limit / _MEASURING and time.monotonic() > next_count:
                    began = time.monotonic()
                    self._check_usage(free)
                    next_count = time.monotonic() + _PAUSE * (time.monotonic() - began)
                    counted = free
                counted = Space(max(counted.bytes, free.bytes), max(counted.files, free.files))
            except (OSError, WorkspaceError):  # the folder is being removed, or the sandbox could not be restarted
                continue

    def _check_usage(self, free: Space) -> None:
        found = [folder_usage(folder) for folder in self._folders]
        size, count = sum(each.bytes for each in found), sum(each.files for each in found)
        if not all(each.is_complete for each in found):  # everything that was written since the start may be there
            size, count = max(size, self._at_start.bytes - free.bytes), max(count, self._at_start.files - free.files)
        share = max(size / self._limit, count * BYTES_PER_FILE / self._limit)
        if share <= 1.0:
            self._allowed = 1.0
        elif share > self._allowed:
            self._allowed = share * _BEYOND
            self._end(
                f"{size / 2**20:,.0f} MiB in {count:,} files were written; the limit is {self._limit / 2**20:,.0f} MiB "
                f"and {self._limit // BYTES_PER_FILE:,} files"
            )

    def _end(self, reason: str) -> None:
        with self._lock:
            self._end_all()
            self._notice = (
                f"[The disk is full: {reason}. All processes were ended. Remove files before you continue.]\n".encode()
            )


@dataclass(frozen=True, slots=True)
class Space:
    """Numbers of bytes and files. `is_complete` is false if some folders could not be read."""

    bytes: int
    files: int
    is_complete: bool = True


def folder_usage(folder: Path) -> Space:
    """Return what the files in a folder take on disk. Links are not followed."""
    size = count = 0
    is_complete = True
    unreadable: list[OSError] = []
    most = len(folder.parts) + _DEPTH
    for path, folders, names, descriptor in os.fwalk(folder, onerror=unreadable.append):
        for name in (*folders, *names):
            with suppress(OSError):
                size += os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_blocks * 512
                count += 1
        if folders and path.count(os.sep) >= most:
            folders.clear()
            is_complete = False
    return Space(size, count, is_complete and not unreadable)


def _free(folder: Path) -> Space:
    found = os.statvfs(folder)
    return Space(found.f_bavail * found.f_frsize, found.f_favail)
