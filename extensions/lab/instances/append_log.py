"""An append-only file of lines, each written durably before `append` returns."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from trajectories.errors import RunBroken, UsageError, WorkspaceError
from trajectories.git_store.git_commands import sync_folder
from trajectories.journal import JournalDigest, append_durably, matches


class AppendLog:
    """A file at `path`; opening it passes its lines to `read` one after the other.

    An incomplete last line, or one that `read` rejects with ValueError, is cut off. If an earlier line is damaged,
    RunBroken is raised and the file stays unchanged. `digest` is the path of a file that holds this file's digest; if
    the digest does not match, UsageError is raised and the file stays unchanged. Raises WorkspaceError if the file
    cannot be read or written. Not thread-safe.
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
            if end < size or digest:  # also flush data of a process that was killed before its fsync
                os.fsync(self._file)
            if made:
                sync_folder(path.parent)
            if digest:
                self._digest = JournalDigest(digest, path, end)
        except OSError as error:
            raise write_error(path, error) from error

    def append(self, data: bytes) -> None:
        """Write whole lines and return when they are on disk; on failure, write none of them."""
        try:
            with self._digest.extended(data) if self._digest else nullcontext():
                append_durably(self._file, data)
        except OSError as error:
            raise write_error(self.path, error) from error

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            if self._digest:
                self._digest.close()


def _check(path: Path, digest: Path, end: int, size: int) -> None:
    """Raise UsageError if the file does not match its digest. An incomplete last line after `end` is ignored."""
    with path.open("rb") as file:
        if not matches(file, digest, end, size):
            raise UsageError(f"{path} was changed by something other than swe-agent.", "Choose another --out.")


def _whole(path: Path, read: Callable[[bytes], object]) -> tuple[int, int]:
    """Read the lines; return the total size of the complete lines and the size of the file."""
    end, size, damaged = 0, path.stat().st_size, 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if damaged:
                raise RunBroken(
                    f"Line {damaged} of {path} is damaged and is not the last line.", "Restore the file from a copy."
                )
            try:
                if not line.endswith(b"\n"):
                    raise ValueError("torn")
                read(line)
                end += len(line)
            except ValueError:
                damaged = number
    return end, size


def write_error(path: Path, error: OSError) -> WorkspaceError:
    fixes = {errno.ELOOP: "Remove the link", errno.EACCES: "Change its permissions"}
    fix = f"{fixes.get(error.errno or 0, 'Free disk space')}, then run the same command again."
    return WorkspaceError(f"{path} cannot be written: {error.strerror}.", fix)
