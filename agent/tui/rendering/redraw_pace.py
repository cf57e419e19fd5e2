"""When to draw what grows: the longer drawing takes, the longer keys have to themselves in between."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

REST = 6.0
"""Times as long as drawing took."""
TYPING = 20.0
"""The same at most while keys come: so 19 of 20 do not meet with drawing."""
LONGEST = 2.0
"""Seconds without anything new at most."""


class Pace:
    """`wanted` as often as anything grows; `draw` is called at once or, through `later`, after some seconds, once for
    all that was wanted meanwhile. Told when drawing begins and ends."""

    def __init__(
        self,
        draw: Callable[[], object],
        later: Callable[[float, Callable[[], None]], object],
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._draw = draw
        self._later = later
        self._now = now
        self._waits = False
        self._began = self._ended = 0.0
        self._next = 0.0
        """When there may be drawn again."""

    def wanted(self) -> None:
        if self._waits:
            return
        if (wait := self._next - self._now()) > 0:
            self._waits = True
            self._later(wait, self._due)
        else:
            self._draw()

    def _due(self) -> None:
        self._waits = False
        self.wanted()

    def typed(self) -> None:
        """A key came; more of them may follow."""
        took = self._ended - self._began
        wait = min(self._now() + REST * took, self._ended + min(LONGEST, TYPING * took))
        self._next = max(self._next, wait)

    def begins(self) -> None:
        self._began = self._now()

    def ended(self) -> None:
        self._ended = self._now()
        self._next = self._ended + min(LONGEST, REST * (self._ended - self._began))
