"""Something done in a thread of its own while its asker goes on."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread
from typing import Generic, TypeVar

from trajectories.errors import Cancelled

Answer = TypeVar("Answer")
TICK = 0.1
"""Seconds between looks at whether a wait was cancelled."""


class Aside(Generic[Answer]):
    """`do` begins at once; what it raises is raised where the answer is wanted, if it ever is."""

    def __init__(self, do: Callable[[], Answer], name: str) -> None:
        self._do = do
        self._error: BaseException | None = None
        self._thread = Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self._answer = self._do()
        except BaseException as error:  # noqa: BLE001 - it is the asker's
            self._error = error

    def wait(self) -> None:
        self._thread.join()

    def answer(self, cancel: Event | None = None) -> Answer:
        """Waits for it. Raises Cancelled when that is set before; what is done goes on, for nobody."""
        while self._thread.is_alive():
            if cancel is not None and cancel.is_set():
                raise Cancelled("Interrupted.", "Resume the run to go on.")
            self._thread.join(None if cancel is None else TICK)
        if self._error is not None:
            raise self._error
        return self._answer
