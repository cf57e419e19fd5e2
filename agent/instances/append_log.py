"""A file that only grows, a line at a time, each on disk before anything else says so."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from trajectories.errors import RunBroken, UsageError, WorkspaceError
from trajectories.journal import append_durably
from trajectories.journal_digest import JournalDigest, matches
from trajectories.plumbing import sync_folder


class Appended:
    """The file at `path`, whose lines are given to `read` one after the other as it is opened.

    A last line that is torn, or that `read` cannot take (ValueError), is cut off; one before it is damage: RunBroken,
    and nothing is touched. With `digest`, the file in which the digest of this one is kept, UsageError where it is not
    as it was left, and nothing is touched either. Raises WorkspaceError where it cannot be read or written. One thread
    at a time.
    """

    def __init__(self, path: Path, read: Callable[[bytes], object], digest: Path | None = None) -> None:
        self.path = path
        self._digest: JournalDigest | None = None
        try:
            made = not path.exists()
            end, size = (0, 0) if made else _whole(path, read)
            if digest and not made:
                _check(path, digest, end, size)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
            if end < size:
                os.ftruncate(self._file, end)
            if end < size or digest:  # also what a process wrote that was killed before it did so
                os.fsync(self._file)
            if made:
                sync_folder(path.parent)
            if digest:
                self._digest = JournalDigest(digest, path, end)
        except OSError as error:
            raise no_room(path, error) from error

    def append(self, data: bytes) -> None:
        """Write whole lines, and return when they are on disk; where that fails, nothing of them is."""
        try:
            with self._digest.extended(data) if self._digest else nullcontext():
                append_durably(self._file, data)
        except OSError as error:
            raise no_room(self.path, error) from error

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            if self._digest:
                self._digest.close()


def _check(path: Path, digest: Path, end: int, size: int) -> None:
    """Raises UsageError. What a crash left of the last line, behind `end`, does not count."""
    with path.open("rb") as file:
        if not matches(file, digest, end, size):
            raise UsageError(f"{path} was changed by something other than swe-agent.", "Choose another --out.")


def _whole(path: Path, read: Callable[[bytes], object]) -> tuple[int, int]:
    """Read the lines; the bytes that whole ones take, and all bytes."""
    end, size, damaged = 0, path.stat().st_size, 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if damaged:
                raise RunBroken(
                    f"Line {damaged} of {path} is damaged, and more follow it.", "Restore the file from a copy."
                )
            try:
                if not line.endswith(b"\n"):
                    raise ValueError("torn")
                read(line)
                end += len(line)
            except ValueError:
                damaged = number
    return end, size


def no_room(path: Path, error: OSError) -> WorkspaceError:
    fix = "Remove the link" if error.errno == errno.ELOOP else "Make room"
    return WorkspaceError(f"{path} cannot be written: {error.strerror}.", f"{fix}, then start the batch again.")
