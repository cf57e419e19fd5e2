"""The send rate of one model: pure arithmetic, without clock or threads.

A rate-limit error stops all sending for a while. Then one request tests whether the limit still applies; each answer
allows one more request in flight, up to half the earlier number, and after that the number grows by one per round. This
is TCP's congestion control (slow start, then additive increase and multiplicative decrease: Jacobson, Congestion
Avoidance and Control, 1988).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from random import Random

LONGEST = 60.0
"""Maximum pause in seconds, unless the provider asks for a longer one."""
STEEPEST = 30
"""Maximum number of doublings of a pause; more would exceed LONGEST anyway."""


@dataclass
class SendRate:
    """The send rate of one model. `first` is the first pause if the provider names none; all times are in seconds of
    the same clock."""

    first: float
    random: Random
    flying: int = 0
    """The number of requests in flight."""
    allowed: float = inf
    """The number of requests that may be in flight."""
    until: float = -inf
    """The end of the pause."""
    refused_since: float | None = None
    """The time of the first rejection since the last answer."""
    pauses: int = 0
    _goal: float = inf
    _level: int = 0

    def wait(self, now: float) -> float:
        """Return the seconds until a request may be sent: 0 for now, infinity if another request must end first."""
        if now < self.until:
            return self.until - now
        return 0.0 if self.flying + 1 <= self.allowed else inf

    def leave(self) -> int:
        """Count a request that is sent; return a marker to pass to `answered` or `refused`."""
        self.flying += 1
        return self.pauses

    def end(self) -> None:
        """Count a request that has ended, with any result."""
        self.flying -= 1

    def answered(self, left: int) -> None:
        """Raise the rate after an answer; ignored if the request was sent before the last rejection."""
        if left != self.pauses:
            return
        self.refused_since = None
        self.allowed += 1.0 if self.allowed < self._goal else 1.0 / self.allowed
        if self.allowed >= self._goal:
            self._level = 0

    def refused(self, left: int, now: float, asked: float | None) -> None:
        """Lower the rate after a rejection; `asked` is the pause in seconds that the provider asks for.

        Of the requests that were in flight together, only the first rejection counts: further rejections give no new
        information.
        """
        if self.refused_since is None:
            self.refused_since, self._goal = now, max(1.0, self.flying / 2)
        pause = asked or 0.0
        if left == self.pauses:
            self.pauses += 1
            self._level += 1
            self.allowed = 1.0
            if asked is None or self._level > 1:  # the provider's pause was too short
                pause = max(pause, self._growing())
        self.until = max(self.until, now + pause)

    def _growing(self) -> float:
        return min(LONGEST, self.first * 2.0 ** min(self._level - 1, STEEPEST)) * self.random.uniform(0.75, 1.0)
