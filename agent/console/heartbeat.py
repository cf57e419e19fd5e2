"""Lines that show that a command is alive while it has nothing else to print."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from agent.console.process_end import OutputFile

SILENCE = 4.0
"""Seconds without output after which a line is printed; with TICK and a slow machine, it is there within 5 seconds."""
TICK = 0.5


@contextmanager
def heartbeat(print_line: Callable[[], object]) -> Iterator[None]:
    """Call `print_line` whenever this process has written nothing for SILENCE seconds.

    A live display writes several times a second, so nothing is added to it.
    """
    over = Event()

    def watch() -> None:
        last = time.monotonic()
        while not over.wait(min(TICK, SILENCE)):
            now = time.monotonic()
            if now - max(last, OutputFile.last_write) >= SILENCE:
                last = now
                print_line()

    thread = Thread(target=watch, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
