"""Limits for files that other people or programs wrote: kind of file, bytes, line lengths, JSON values.

JSON depth needs no limit here, because Python's parser raises RecursionError, which every reader reports.

File locks here are those that objects hold for longer than a call, such as the lock of a run.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from errno import EINVAL, EISDIR
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from trajectories.errors import RunBroken, TryLater, UsageError

MOST_BYTES = 256 << 20
"""Maximum number of bytes of a file that is read whole, and of a line of a file that is read line by line."""
MOST_CONFIG = 10 << 20
"""Maximum number of bytes of a configuration file."""
MOST_VALUES = 2_000_000
"""Maximum number of values in one JSON text. Three bytes of JSON can take sixty bytes of memory."""
MOST_PLAIN = 2_000
"""If a JSON text has more separators than this, they are counted again without those inside strings, which takes
longer."""
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


def is_in(path: Path, directory: Path) -> bool:
    """Whether a path is inside a directory once links are resolved."""
    return path.resolve().is_relative_to(directory.resolve())


def open_regular(path: Path, inside: Path | None = None) -> BinaryIO:
    """Open a regular file to read bytes, without blocking. Raises OSError, also for a device or a pipe, which may never
    end. `inside` is a folder that someone else may have created; links, and files outside the folder, raise OSError
    too."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    if inside is not None:
        if not is_in(path.parent, inside):
            raise OSError(EINVAL, f"it is not in {inside}")
        flags |= os.O_NOFOLLOW
    descriptor = os.open(path, flags)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
    raise OSError(EINVAL, "it is not a regular file")


def open_stream(path: Path) -> BinaryIO:
    """Open a file, a pipe (as in `<(command)`) or a device to read bytes. The caller must limit how many bytes it
    reads.

    A pipe is read until its writers close it; a pipe without a writer ends immediately. Raises OSError.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    os.set_blocking(descriptor, True)
    return os.fdopen(descriptor, "rb")


def read_config(path: Path) -> bytes:
    """Return the content of a configuration file, or no bytes for the null device. Raises the same exceptions as
    `read_limited`."""
    return b"" if path.resolve() == Path(os.devnull) else read_limited(path, MOST_CONFIG)


def read_limited(path: Path, most: int = MOST_BYTES, inside: Path | None = None) -> bytes:
    """Return the content of a regular file. Raises OSError as `open_regular` does, and UsageError if it has more than
    `most` bytes."""
    with open_regular(path, inside) as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(most + 1) if size <= most else b""
    if max(size, len(data)) > most:
        raise UsageError(f"{path} has more than {most:,} bytes.", "Name a smaller file.")
    return data


def limited_lines(file: BinaryIO, name: Path, most: int = MOST_BYTES) -> Iterator[bytes]:
    """Yield the lines of a file. Raises UsageError for a line of more than `most` bytes."""
    number = 0
    while line := file.readline(most + 1):
        number += 1
        if len(line) > most:
            raise UsageError(f"Line {number} of {name} has more than {most:,} bytes.", "Remove it, or split the file.")
        yield line


def count_values(text: bytes) -> int:
    """Return an upper bound on the number of values in a JSON text. A small result may include commas and brackets in
    strings."""
    if (count := _separators(text)) > MOST_PLAIN:
        count = _separators(_STRING.sub(b"", text))
    return count + 1


def check_values(text: bytes, place: str, most: int = MOST_VALUES) -> None:
    """Raise UsageError if a JSON text has more than `most` values; `place` names its source in the message."""
    if len(text) > most and count_values(text) > most:
        raise UsageError(f"{place} contains more than {most:,} values.", "Name a smaller file.")


def _separators(text: bytes) -> int:
    return sum(map(text.count, (b",", b"[", b"{")))


def acquire_lock(path: Path, message: str, fix: str) -> FileLock:
    """Acquire an inter-process lock at `path`, which is held until any thread releases it.

    Raises TryLater with this `message` and `fix` if another process has it, OSError if the file cannot be created, and
    RunBroken if `path` is not a lock file, because locking would truncate it.
    """
    with suppress(FileNotFoundError):
        about = path.lstat()
        if not stat.S_ISREG(about.st_mode) or about.st_size:
            raise RunBroken(f"{path} is not a lock file of swe-agent.", "Check what it is, and remove it.")
    lock = _HeldLock(path, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise TryLater(message, fix) from None
    return lock


class _HeldLock(FileLock):
    """A lock that an object of the user's program may still hold when the interpreter ends.

    The operating system releases it then. The library's finalizer would print an error, because Python has already
    cleared the modules that it uses.
    """

    def __del__(self, is_ending: Callable[[], bool] = sys.is_finalizing) -> None:
        if not is_ending():
            super().__del__()
