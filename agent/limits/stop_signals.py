"""Handling of stop signals: the first signal stops the work in an orderly way, the second one at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

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
