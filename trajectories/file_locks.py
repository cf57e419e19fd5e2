"""File locks that objects hold for longer than a call, such as the lock of a run."""

from __future__ import annotations

import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from trajectories.errors import RunBroken, TryLater


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
