"""A function call in its own thread."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread
from typing import Generic, TypeVar

from trajectories.errors import Cancelled

Answer = TypeVar("Answer")
TICK = 0.1
"""Number of seconds between checks for cancellation while waiting."""


class BackgroundTask(Generic[Answer]):
    """A call of the function `do` in its own thread, started immediately. `answer` returns the function's result or
    raises its exception."""

    def __init__(self, do: Callable[[], Answer], name: str) -> None:
        self._do = do
        self._error: BaseException | None = None
        self._thread = Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self._answer = self._do()
        except BaseException as error:  # noqa: BLE001 - `answer` raises it
            self._error = error

    def wait(self) -> None:
        self._thread.join()

    def answer(self, cancel: Event | None = None) -> Answer:
        """Wait for the result and return it.

        Raises Cancelled if `cancel` is set before the call ends; the thread is not stopped.
        """
        while self._thread.is_alive():
            if cancel is not None and cancel.is_set():
                raise Cancelled("Interrupted.", "Resume the run to continue.")
            self._thread.join(None if cancel is None else TICK)
        if self._error is not None:
            raise self._error
        return self._answer
