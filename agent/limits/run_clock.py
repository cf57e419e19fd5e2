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
        """Start the clock of a turn with `left` seconds; None for no limit."""
        self._cancel, self._record_pause = cancel, record_pause
        self._lock = Lock()
        self._pauses = 0
        self._stopped_at: float | None = seconds
        self.start(left)

    @property
    def seconds(self) -> float:
        """The active time in seconds, including earlier processes and time that no record covers."""
        if (seconds := self._stopped_at) is not None:
            return seconds
        with self._lock:
            return (self._paused_since if self._pauses else time.monotonic()) - self.started

    def start(self, left: float | None) -> None:
        """Continue a stopped clock for a turn with `left` seconds. A running clock is not changed."""
        if self._stopped_at is None:
            return
        now = time.monotonic()
        self.started = now - self._stopped_at
        self._cancel.deadline = None if left is None else now + left
        self._stopped_at = None  # last, since other threads read `seconds`

    def stop(self) -> None:
        """Stop the clock until the next turn starts or resumes."""
        self._stopped_at, self._cancel.deadline = self.seconds, None

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Pause the clock in this context, in which a branch waits for the user or for permission to send a request."""
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
                    if self._stopped_at is None and self._paused_deadline is not None:
                        self._cancel.deadline = self._paused_deadline + paused
        if paused >= SHORTEST_PAUSE:
            self._record_pause(paused)
