"""Temporary folders, all in one folder of this process, so that those of a process that was killed can be removed."""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

PROCESS_PREFIX = "swe-agent-process-"
"""The prefix of the folders of processes."""


def temporary_folder() -> TemporaryDirectory[str]:
    """Return a new temporary folder, which is removed at the end of its `with` block."""
    return TemporaryDirectory(dir=process_folder())


def process_folder() -> Path:
    """Return the temporary folder of this process, which is removed when the process ends.

    Until then, the folder is locked, so that it is not taken for a leftover when it is old, or when the clock is set
    forward.
    """
    return _process_folder(os.getpid())


@cache
def _process_folder(process: int) -> Path:
    made = Path(tempfile.mkdtemp(prefix=PROCESS_PREFIX))
    fcntl.flock(os.open(made, os.O_RDONLY), fcntl.LOCK_SH)
    atexit.register(_remove, made, process)
    return made


def _remove(folder: Path, process: int) -> None:
    if os.getpid() == process:  # a fork inherits the registration
        shutil.rmtree(folder, ignore_errors=True)


def is_in_use(folder: Path) -> bool:
    """Whether the folder is that of a running process. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
