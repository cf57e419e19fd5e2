"""Digest files of journals, kept outside of the run's folder. They show whether a journal is unchanged since the user's
own processes wrote it. The results file of a batch has such a digest file too.

The file has two lines, one for the state before the last write and one for the state after it. Each line contains a
length in bytes and the SHA-256 of that many bytes from the start of the journal. Therefore one of the lines matches
even if the process is killed during a write.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

LINES_SIZE = 172
CHUNK = 1 << 20


def write_digest(path: Path, data: bytes) -> None:
    """Create or replace the digest file of a journal that contains `data`, or will contain it. Raises OSError."""
    descriptor = _opened(path)
    try:
        _write(descriptor, 2 * _line(len(data), sha256(data).hexdigest()))
    finally:
        os.close(descriptor)


def known_lines(path: Path) -> dict[int, bytes]:
    """Return the digests in the file at `path`, by the number of bytes that they cover; empty if there is no file."""
    try:
        with path.open("rb") as file:
            lines = file.read(LINES_SIZE).splitlines()
    except OSError:
        return {}
    return {int(line[:20]): line[21:] for line in lines if line[:20].isdigit()}


def digest_of(file: BinaryIO, size: int) -> bytes:
    """Return the digest of the first `size` bytes of a file, or an empty one if the file is shorter."""
    digest = sha256()
    while size and (data := file.read(min(CHUNK, size))):
        digest.update(data)
        size -= len(data)
    return b"" if size else digest.hexdigest().encode()


def matches(file: BinaryIO, path: Path, *sizes: int) -> bool:
    """Whether the digest file at `path` matches the first bytes of `file`, for at least one of `sizes`."""
    known = known_lines(path)
    for size in sizes:
        file.seek(0)
        if size in known and digest_of(file, size) == known[size]:
            return True
    return False


class JournalDigest:
    """Keeps the digest file at `path` up to date for a journal, of which the first `size` bytes are valid. Raises
    OSError."""

    def __init__(self, path: Path, journal: Path, size: int) -> None:
        self._hash, self._size = sha256(), 0
        with suppress(FileNotFoundError), journal.open("rb") as file:
            while self._size < size and (data := file.read(min(CHUNK, size - self._size))):
                self._add(data)
        self._file = _opened(path)
        _write(self._file, 2 * self._line())

    @contextmanager
    def extended(self, data: bytes) -> Iterator[None]:
        """Context in which `data` is appended to the journal. After an error the digest covers the journal without
        `data`."""
        before, known = self._line(), (self._hash.copy(), self._size)
        self._add(data)
        try:
            _write(self._file, before + self._line())
            yield
        except BaseException:  # re-raised below
            self._hash, self._size = known
            raise

    def close(self) -> None:
        os.close(self._file)

    def _add(self, data: bytes) -> None:
        self._hash.update(data)
        self._size += len(data)

    def _line(self) -> bytes:
        return _line(self._size, self._hash.hexdigest())


def _opened(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _write(descriptor: int, lines: bytes) -> None:
    os.pwrite(descriptor, lines, 0)
    getattr(os, "fdatasync", os.fsync)(descriptor)


def _line(size: int, digest: str) -> bytes:
    return b"%020d %s\n" % (size, digest.encode())
