"""A terminal that goes away while it is drawn on: an ssh connection that drops, a window that is closed.

Textual draws on `sys.__stderr__` from a thread that dies of the first error; whoever draws then waits for it for ever,
and no signal is heeded. So what cannot be written any more is dropped, and told of once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast


class Lasting:
    """A file that never fails. `lost` is called once, in the thread that writes, when the terminal is gone."""

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
        except BlockingIOError:  # a terminal that somebody else made so, and that is slow
            return
        except (OSError, ValueError):
            self._gone = True
            self._lost()


@contextmanager
def lasting(lost: Callable[[], object]) -> Iterator[None]:
    """While a screen is drawn."""
    before = sys.__stderr__
    if before is not None:
        sys.__stderr__ = cast(Any, Lasting(before, lost))  # type: ignore[misc]
    try:
        yield
    finally:
        sys.__stderr__ = before  # type: ignore[misc]
