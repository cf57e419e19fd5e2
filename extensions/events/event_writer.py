"""The writer of an event stream: a thread, so that a slow or broken consumer never delays a run."""

from __future__ import annotations

import os
import sys
from collections import deque
from contextlib import suppress
from threading import Condition, Thread

MOST_PENDING = 64 << 20
"""Maximum number of bytes that wait to be written."""
PATIENCE = 5.0
"""Seconds without any progress after which `close` gives up."""


class EventWriter:
    """Writes lines to an open file in order. If that fails, it says so once on stderr and drops all further lines.

    Thread-safe.
    """

    def __init__(self, descriptor: int, name: str) -> None:
        """`name` is what messages call the file."""
        self._descriptor, self._name = os.dup(descriptor), name  # the thread may outlive the caller's descriptor
        self._lines: deque[bytes] = deque()
        self._pending = self._written = 0
        self._is_closing = self._has_failed = False
        self._changed = Condition()
        self._report: Thread | None = None
        """Says that events stopped. stderr may be a pipe that nothing reads, so it gets a thread of its own."""
        self._thread = Thread(target=self._work, name="events", daemon=True)
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Queue a line."""
        with self._changed:
            if self._has_failed or self._is_closing:
                return
            if self._pending + len(line) > MOST_PENDING:
                self.fail("they are read too slowly")
                return
            self._lines.append(line)
            self._pending += len(line)
            self._changed.notify_all()

    def fail(self, why: str) -> None:
        """Drop all lines and say why, once."""
        with self._changed:
            if self._has_failed:
                return
            self._has_failed = True
            self._lines.clear()
            self._changed.notify_all()
            self._report = Thread(target=self._say, args=(why,), name="events-report", daemon=True)
            self._report.start()

    def close(self) -> None:
        """Write what is queued. Gives up if the consumer has stopped reading."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
            while self._pending and not self._has_failed:
                before = self._written
                self._changed.wait_for(lambda: not self._pending or self._has_failed, PATIENCE)
                if self._written == before and self._pending and not self._has_failed:
                    self.fail("nothing reads them")
            is_stuck = bool(self._pending)
        if self._report:
            self._report.join(PATIENCE)
        if is_stuck:
            return  # the thread may still use the file
        self._thread.join()
        with suppress(OSError):
            os.close(self._descriptor)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines or self._is_closing or self._has_failed)
                if self._has_failed or not self._lines:
                    return
                line = self._lines.popleft()
            try:
                self._write(line)
            except OSError as error:
                with self._changed:
                    self.fail(error.strerror or str(error))
                    self._pending = 0
                return
            with self._changed:
                self._pending -= len(line)
                self._changed.notify_all()

    def _write(self, line: bytes) -> None:
        rest = memoryview(line)
        while rest:
            count = os.write(self._descriptor, rest)
            rest = rest[count:]
            self._written += count

    def _say(self, why: str) -> None:
        with suppress(OSError, ValueError):
            what = f"swe-agent: Events are no longer written to {self._name}: {why}."
            sys.stderr.write(f"{what} The work is not affected, and the journal has all records.\n")
            sys.stderr.flush()
