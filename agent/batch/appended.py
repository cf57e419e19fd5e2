"""A file that only grows, a line at a time, each on disk before anything else says so."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from trajectories.errors import RunBroken, WorkspaceError
from trajectories.journal import append_durably
from trajectories.plumbing import sync_folder


class Appended:
    """The file at `path`, whose lines are given to `read` one after the other as it is opened.

    A last line that is torn, or that `read` cannot take (ValueError), is cut off; one before it is damage: RunBroken,
    and nothing is touched. Raises WorkspaceError where it cannot be read or written. One thread at a time.
    """

    def __init__(self, path: Path, read: Callable[[bytes], object]) -> None:
        self.path = path
        try:
            made = not path.exists()
            end, size = (0, 0) if made else _whole(path, read)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
            if end < size:
                os.ftruncate(self._file, end)
                os.fsync(self._file)
            if made:
                sync_folder(path.parent)
        except OSError as error:
            raise no_room(path, error) from error

    def append(self, data: bytes) -> None:
        """Write whole lines, and return when they are on disk; where that fails, nothing of them is."""
        try:
            append_durably(self._file, data)
        except OSError as error:
            raise no_room(self.path, error) from error

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


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
