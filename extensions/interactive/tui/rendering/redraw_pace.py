"""Pacing of redraws for growing content: the longer drawing takes, the longer the pause in which keys are handled."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

REST = 6.0
"""Length of the pause in multiples of the drawing time."""
TYPING = 20.0
"""Maximum length of the pause while the user types, in multiples of the drawing time; with this value, 19 of 20 keys
are not delayed."""
LONGEST = 2.0
"""Maximum pause in seconds."""


class Pace:
    """Limits redraws. Call `wanted` whenever content grows, and `redraw_started` and `redraw_ended` around drawing.

    `draw` is called at once or, through `later`, once after a pause.
    """

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
        """Earliest time of the next drawing."""

    def wanted(self) -> None:
        if self._waits:
            return
        if (wait := self._next - self._now()) > 0:
            self._waits = True
            self._later(wait, self._draw_later)
        else:
            self._draw()

    def _draw_later(self) -> None:
        self._waits = False
        self.wanted()

    def typed(self) -> None:
        """Extend the pause after a key press, because more keys may follow."""
        took = self._ended - self._began
        wait = min(self._now() + REST * took, self._ended + min(LONGEST, TYPING * took))
        self._next = max(self._next, wait)

    def redraw_started(self) -> None:
        self._began = self._now()

    def redraw_ended(self) -> None:
        self._ended = self._now()
        self._next = self._ended + min(LONGEST, REST * (self._ended - self._began))
