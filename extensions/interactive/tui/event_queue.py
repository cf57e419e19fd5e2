"""A queue that passes events from the session's threads to the app's thread, in order and in one batch per frame."""

from __future__ import annotations

from asyncio import get_running_loop
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from extensions.interactive.session.session_events import Event
    from extensions.interactive.tui.event_views import RunReopened

FRAME = 1 / 30
"""Number of seconds between two batches of events; a model streams faster than users read."""
SHARE = 0.4
"""Maximum share of a frame spent on events, so that keys are still handled when there are many events."""


class EventQueue:
    """Delivers events to the app; create it in the app's event loop. `post` is thread-safe.

    `call` runs a function in the app's context; through it, `deliver` is called with each event, after consecutive
    streamed texts are joined into one event.
    """

    def __init__(
        self,
        call: Callable[[Callable[[], None]], object],
        deliver: Callable[[Any], object],
    ) -> None:
        self._loop = get_running_loop()
        self._call = call
        self._deliver = deliver
        self._waiting: deque[Any] = deque()
        self._lock = Lock()
        self._woken = False
        self._last = 0.0

    def post(self, event: Event | RunReopened) -> None:
        """Queue an event. Never raises, because a closed screen must not end the run."""
        with self._lock:
            self._waiting.append(event)
            if self._woken:
                return
            self._woken = True
        with suppress(RuntimeError):  # raised if the loop is closed
            self._loop.call_soon_threadsafe(self._soon)

    @property
    def waiting(self) -> int:
        """Number of events that are not delivered yet."""
        return len(self._waiting)

    def _soon(self) -> None:
        self._loop.call_later(max(0.0, self._last + FRAME - monotonic()), self._call, self._frame)

    def _frame(self) -> None:
        end = monotonic() + FRAME * SHARE
        while monotonic() < end and (event := self._next()) is not None:
            self._deliver(event)
        self._last = monotonic()
        with self._lock:
            self._woken = bool(self._waiting)
        if self._woken:
            self._soon()

    def _next(self) -> Any:
        """Return the oldest event; consecutive texts of one branch are joined."""
        from extensions.interactive.session.session_events import ProgressReported

        with self._lock:
            if not self._waiting:
                return None
            event = self._waiting.popleft()
            if not (isinstance(event, ProgressReported) and event.happening.kind == "delta"):
                return event
            texts = [event.happening.text]
            while self._waiting and _streams_on(self._waiting[0], event):
                following: Any = self._waiting.popleft()
                texts.append(following.happening.text)
        return ProgressReported(type(event.happening)("delta", event.happening.branch, "".join(texts)))


def _streams_on(event: Any, before: Any) -> bool:
    happening = getattr(event, "happening", None)
    return happening is not None and (happening.kind, happening.branch) == ("delta", before.happening.branch)
