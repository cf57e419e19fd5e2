"""Events of a session, which come in its threads, handed to the app in its own: in order, in frames."""

from __future__ import annotations

from asyncio import get_running_loop
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.session.events import Event
    from agent.tui.showing import Reopened

FRAME = 1 / 30
"""Seconds between two deliveries: a model streams faster than anybody reads."""
SHARE = 0.4
"""Of a frame that events may take, so that keys come through a flood of them."""


class Mailbox:
    """`post` from any thread. `deliver` is called with an event, or with texts that streamed as one, through
    `call`, which runs a function in the app's context. Made in the app's loop."""

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

    def post(self, event: Event | Reopened) -> None:
        """Never raises: a screen that is gone must not end the run that it showed."""
        with self._lock:
            self._waiting.append(event)
            if self._woken:
                return
            self._woken = True
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._soon)

    @property
    def waiting(self) -> int:
        """Events that are not delivered yet."""
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
        """The oldest event; texts of one branch that follow each other are one."""
        from agent.session.events import Happened

        with self._lock:
            if not self._waiting:
                return None
            event = self._waiting.popleft()
            if not (isinstance(event, Happened) and event.happening.kind == "delta"):
                return event
            said = [event.happening.text]
            while self._waiting and _streams_on(self._waiting[0], event):
                following: Any = self._waiting.popleft()
                said.append(following.happening.text)
        return Happened(type(event.happening)("delta", event.happening.branch, "".join(said)))


def _streams_on(event: Any, before: Any) -> bool:
    happening = getattr(event, "happening", None)
    return happening is not None and (happening.kind, happening.branch) == ("delta", before.happening.branch)
