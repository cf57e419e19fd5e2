"""The clock of a run: its active time, without pauses and the time between turns, and the deadline of a turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from agent.limits.cancellation import CancellationToken

SHORTEST_PAUSE = 1.0
"""In seconds; shorter pauses are not reported."""


class RunClock:
    """The clock of a run that was active for `seconds` in earlier processes. It sets the deadline of `cancel`.

    `record_pause` is called with the seconds of a pause, so that a resumed run counts the same time.
    """

    def __init__(
        self, cancel: CancellationToken, seconds: float, left: float | None, record_pause: Callable[[float], object]
    ) -> None:
        """`left` is the time left of the current turn; None for no limit."""
        self._cancel, self._record_pause = cancel, record_pause
        self._lock = Lock()
        self._pauses = 0
        self._stopped_at: float | None = None
        self.start(left, seconds)

    @property
    def seconds(self) -> float:
        """The active time in seconds, including earlier processes."""
        if (seconds := self._stopped_at) is not None:
            return seconds
        with self._lock:
            return (self._paused_since if self._pauses else time.monotonic()) - self.started

    def start(self, left: float | None, seconds: float | None = None) -> None:
        """Start or continue the clock for a turn with `left` seconds. `seconds` is the active time so far.

        By default it is the clock's own count, which includes time that no record covers.
        """
        if seconds is None:
            if self._stopped_at is None:
                return
            seconds = self._stopped_at
        now = time.monotonic()
        self._stopped_at = None
        self.started = now - seconds
        self._cancel.deadline = None if left is None else now + left

    def stop(self) -> None:
        """Stop the clock until the next turn starts or resumes."""
        self._stopped_at, self._cancel.deadline = self.seconds, None

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Pause the clock in this context, in which any branch waits for the user or for permission to send a
        request."""
        with self._lock:
            if not self._pauses:
                self._paused_since, self._paused_deadline = time.monotonic(), self._cancel.deadline
                self._cancel.deadline = None
            self._pauses += 1
        paused = 0.0
        try:
            yield
        finally:
            with self._lock:
                self._pauses -= 1
                if not self._pauses:
                    paused = time.monotonic() - self._paused_since
                    self.started += paused
                    self._cancel.deadline = None if self._paused_deadline is None else self._paused_deadline + paused
        if paused >= SHORTEST_PAUSE:
            self._record_pause(paused)
