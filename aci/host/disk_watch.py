"""A limit on the size of a sandbox's files, which lie on a disk of this machine without a quota."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Lock, Thread

from aci.docker.disk_space import DiskSpace, free_bytes

BYTES_PER_FILE = 10 << 10
_INTERVAL = 0.2  # seconds between two checks of the free space
_MEASURING = 16  # files are counted again once free space has fallen by this fraction of the limit
_BEYOND = 1.05  # tolerated growth after processes were ended, since removing files may write a little
_PAUSE = 4.0  # after counting, this many times its duration passes before the next count


class DiskWatch:
    """A thread that calls `end_all` if the files in `folder` exceed `limit` bytes, or its disk is nearly full."""

    def __init__(self, folder: Path, limit: int, end_all: Callable[[], None]) -> None:
        self._folder, self._limit, self._end_all = folder, limit, end_all
        self._space = DiskSpace([str(folder)])
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
        measured_at, next_count = self._space.free, 0.0
        while not self._stop.wait(_INTERVAL):
            try:
                if self._space.is_short():
                    self._short_at = time.monotonic()
                    self._end(f"only {self._space.free / 2**20:,.0f} MiB are free on the disk of {self._folder.parent}")
                    self._space.reset_floor()
                free = free_bytes(str(self._folder))
                if measured_at - free > self._limit / _MEASURING and time.monotonic() > next_count:
                    began = time.monotonic()
                    self._check_usage()
                    next_count = time.monotonic() + _PAUSE * (time.monotonic() - began)
                    measured_at = free
                measured_at = max(measured_at, free)
            except OSError:  # the folder is being removed
                continue

    def _check_usage(self) -> None:
        size, count = folder_usage(self._folder)
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


def folder_usage(folder: Path) -> tuple[int, int]:
    """Return the bytes that the files in a folder take on disk, and their number. Links are not followed."""
    size = count = 0
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            try:
                size += Path(place, name).lstat().st_blocks * 512
            except OSError:
                continue
            count += 1
    return size, count
