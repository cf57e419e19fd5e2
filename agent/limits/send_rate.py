"""How fast a provider is asked: the arithmetic of one model, without clock or threads.

A refusal as one too many ends all sending for a while. Then one request asks whether it is over; with each answer one
more may be on the wire, up to half of what there was, from there one more a round. This is TCP's way (slow start, then
additive increase and multiplicative decrease: Jacobson, Congestion Avoidance and Control, 1988).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from random import Random

LONGEST = 60.0
"""Seconds; a pause that the provider does not ask for is no longer."""
STEEPEST = 30
"""Doublings, of any first pause worth the name more than LONGEST."""


@dataclass
class Pace:
    """`first` is the first pause where the provider names none; all times are seconds of one clock."""

    first: float
    random: Random
    flying: int = 0
    """Requests on the wire."""
    allowed: float = inf
    """How many may be."""
    until: float = -inf
    """When the pause ends."""
    refused_since: float | None = None
    """When the first of the refusals came that no answer followed."""
    pauses: int = 0
    _goal: float = inf
    _level: int = 0

    def wait(self, now: float) -> float:
        """Seconds until a request may leave, infinity if that takes another's end; 0 for at once."""
        if now < self.until:
            return self.until - now
        return 0.0 if self.flying + 1 <= self.allowed else inf

    def leave(self) -> int:
        """A request leaves; what `refused` is to be given of it."""
        self.flying += 1
        return self.pauses

    def end(self) -> None:
        """A request that left is over, whatever came of it."""
        self.flying -= 1

    def answered(self, left: int) -> None:
        """One that left before the last refusal does not say that it is over."""
        if left != self.pauses:
            return
        self.refused_since = None
        self.allowed += 1.0 if self.allowed < self._goal else 1.0 / self.allowed
        if self.allowed >= self._goal:
            self._level = 0

    def refused(self, left: int, now: float, asked: float | None) -> None:
        """A request that has not ended yet was one too many; the provider asks for a pause of `asked` seconds.

        Of requests that were on the wire together the first alone makes things slower: the others tell nothing new.
        """
        if self.refused_since is None:
            self.refused_since, self._goal = now, max(1.0, self.flying / 2)
        pause = asked or 0.0
        if left == self.pauses:
            self.pauses += 1
            self._level += 1
            self.allowed = 1.0
            if asked is None or self._level > 1:  # its own word was too short
                pause = max(pause, self._growing())
        self.until = max(self.until, now + pause)

    def _growing(self) -> float:
        return min(LONGEST, self.first * 2.0 ** min(self._level - 1, STEEPEST)) * self.random.uniform(0.75, 1.0)
