"""Handling of a terminal that disconnects: a dropped ssh connection, a closed window.

Textual writes to `sys.__stderr__` in a thread that dies at the first error; drawing then blocks forever, and signals
are not handled. So output that cannot be written is dropped, and the app is notified once.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast


class SafeStream:
    """A file whose methods never raise. `lost` is called once, in the writing thread, when the terminal is gone."""

    def __init__(self, file: TextIO, lost: Callable[[], object]) -> None:
        self._file = file
        self._lost = lost
        self._gone = False

    def write(self, text: str) -> int:
        self._try(lambda: self._file.write(text))
        return len(text)

    def flush(self) -> None:
        self._try(self._file.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def _try(self, do: Callable[[], object]) -> None:
        if self._gone:
            return
        try:
            do()
        except BlockingIOError:  # another process made the terminal non-blocking, and its output buffer is full
            return
        except (OSError, ValueError):
            self._gone = True
            self._lost()


@contextmanager
def safe_stderr(lost: Callable[[], object]) -> Iterator[None]:
    """Replace `sys.__stderr__` by a stream that never raises."""
    before = sys.__stderr__
    if before is not None:
        sys.__stderr__ = cast(Any, SafeStream(before, lost))  # type: ignore[misc]
    try:
        yield
    finally:
        sys.__stderr__ = before  # type: ignore[misc]


def call_on_signals(end: Callable[[], None]) -> None:
    """Call `end` in the running event loop when the terminal closes or the process is terminated."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                asyncio.get_running_loop().add_signal_handler(number, end)
