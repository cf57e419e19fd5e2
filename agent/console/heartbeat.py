"""Lines that show that a command is alive while it has nothing else to print."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from agent.console.process_end import OutputFile

SILENCE, SILENCE_ON_TERMINAL = 30.0, 4.0
"""Seconds without output after which a line is printed, in a file that is read later, and on a terminal that somebody
watches."""
TICK = 0.5


@contextmanager
def heartbeat(print_line: Callable[[], object]) -> Iterator[None]:
    """Call `print_line` whenever this process has written nothing for a while.

    A live display writes several times a second, so nothing is added to it.
    """
    over, silence = Event(), SILENCE_ON_TERMINAL if sys.stderr.isatty() else SILENCE

    def watch() -> None:
        last = time.monotonic()
        while not over.wait(min(TICK, silence)):
            now = time.monotonic()
            if now - max(last, OutputFile.last_write) >= silence:
                last = now
                print_line()

    thread = Thread(target=watch, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
