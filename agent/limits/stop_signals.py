"""Signals that end what is under way: the first in order, the second at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stopped_by_signals(stop: Callable[[], bool]) -> Iterator[None]:
    """Each signal calls `stop`; where that has nothing (more) to stop in order, and says so by False, KeyboardInterrupt
    is raised. What this process was started to ignore, as by nohup, it ignores."""

    def heed(number: int, frame: FrameType | None) -> None:
        if not stop():
            raise KeyboardInterrupt

    heeded = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, heed) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
