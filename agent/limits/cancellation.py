"""Cancellation of a run and its parts, also by signals: the first stops it in an orderly way, the second at once."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, local
from types import FrameType

from trajectories.errors import Cancelled


class CancellationToken(Event):
    """The only mechanism for stopping work; it is checked between stream chunks and while a command runs.

    The token is set if `set` was called, its deadline has passed, or its parent is set.
    """

    def __init__(self, parent: CancellationToken | None = None) -> None:
        super().__init__()
        self._parent = parent
        self._shield = local()
        self.deadline: float | None = None

    def is_set(self) -> bool:
        if getattr(self._shield, "is_up", False):
            return False
        return super().is_set() or self.expired or (self._parent is not None and self._parent.is_set())

    @property
    def stopped(self) -> bool:
        """Whether the token or its parent was set explicitly, regardless of deadlines."""
        return super().is_set() or (self._parent is not None and self._parent.stopped)

    @property
    def expired(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`, or until the token is set. Raises Cancelled if the token is set."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, 0.1))

    @contextmanager
    def shield(self) -> Iterator[None]:
        """Ignore the token in this thread inside the `with` block, so that work done before it was set is recorded."""
        self._shield.is_up = True
        try:
            yield
        finally:
            self._shield.is_up = False

    def check(self) -> None:
        if self.is_set():
            raise Cancelled("Interrupted.", "Resume the run to continue.")


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stopped_by_signals(stop: Callable[[], bool]) -> Iterator[None]:
    """Call `stop` at each signal; raise KeyboardInterrupt if it returns False, which means that there is nothing left
    to stop.

    Signals that the process was started to ignore, as by nohup, stay ignored.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        if not stop():
            raise KeyboardInterrupt

    handled = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in handled}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
