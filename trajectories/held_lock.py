"""A file lock that objects hold for longer than a call, such as the lock of a run."""

from __future__ import annotations

import sys
from collections.abc import Callable

from filelock import FileLock


class HeldLock(FileLock):
    """A lock that an object of the user's program may still hold when the interpreter ends.

    The operating system releases it then. The library's finalizer would print an error, because Python has already
    cleared the modules that it uses.
    """

    def __del__(self, is_ending: Callable[[], bool] = sys.is_finalizing) -> None:
        if not is_ending():
            super().__del__()
