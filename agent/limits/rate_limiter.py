"""The rate limiter of requests, shared by all runs of a process: a provider's "too many requests" slows them all."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from random import Random
from threading import Condition, Event

from trajectories.errors import Cancelled, ModelError

LONGEST = 60.0
"""Maximum pause in seconds, unless the provider asks for a longer one."""
STEEPEST = 30
"""Maximum number of doublings of a pause; more would exceed LONGEST anyway."""


@dataclass
class SendRate:
    """The send rate of one model, without clock or threads. `first` is the first pause if the provider names none; all
    times are in seconds of the same clock.

    A rate-limit error stops all sending for a while. Then one request tests whether the limit still applies; each
    answer allows one more request in flight, up to half the earlier number, and after that the number grows by one per
    round. This is TCP's congestion control (slow start, then additive increase and multiplicative decrease: Jacobson,
    Congestion Avoidance and Control, 1988).
    """

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


TICK = 0.1
"""The interval in seconds between checks for cancellation."""


@dataclass
class _Queue:
    """The requests waiting for one model, in order of arrival."""

    pace: SendRate
    waiting: deque[object] = field(default_factory=deque)
    answered: bool = False


class Limiter:
    """Decides when each request may be sent, with one queue for each model; a model is identified by its name and
    server address.

    `first` is the first pause in seconds if a provider names none. `patience` is the number of seconds for which a
    provider may reject all requests; with 0, this time is unlimited and each request counts its own tries.
    """

    def __init__(
        self,
        first: float = 2.0,
        patience: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        random: Random | None = None,
    ) -> None:
        self.patience = patience
        self._clock = clock
        random = random or Random()
        self._lines: defaultdict[str, _Queue] = defaultdict(lambda: _Queue(SendRate(first, random)))
        self._changed = Condition()

    @contextmanager
    def turn(self, model: str, cancel: Event, most: float = inf) -> Iterator[None]:
        """Wait until a request of `model` may be sent. The caller sends the request inside the context; an error raised
        there shows whether the request hit the rate limit.

        Raises Cancelled if `cancel` is set during the wait; raises ModelError, without sending the request, if the
        pause exceeds `most` seconds or the rejections have lasted longer than `patience`.
        """
        left = self._wait_for_turn(model, cancel, most)
        try:
            yield
        except ModelError as error:
            if error.limited:
                self._refused(model, left, error.wait)
            raise
        else:
            with self._changed:
                self._lines[model].pace.answered(left)
                self._lines[model].answered = True
        finally:
            with self._changed:
                self._lines[model].pace.end()
                self._changed.notify_all()

    def leaving(self) -> None:
        """Called when a request is sent, after its reservation was written. Raises Cancelled if it must not be sent."""

    def has_answered(self, model: str) -> bool:
        """Return whether the model has answered any request of this process, which shows that the key is valid."""
        with self._changed:
            return self._lines[model].answered

    def pause(self, model: str) -> float:
        """Return for how many more seconds no request is sent to the model."""
        with self._changed:
            return max(0.0, self._lines[model].pace.until - self._clock())

    def pauses(self) -> dict[str, float]:
        """Return the current pauses by model name."""
        with self._changed:
            now = self._clock()
            left = {model: line.pace.until - now for model, line in self._lines.items()}
        return {model.rpartition(" ")[2]: seconds for model, seconds in left.items() if seconds > 0}

    def _wait_for_turn(self, model: str, cancel: Event, most: float) -> int:
        with self._changed:
            line, mine = self._lines[model], object()
            line.waiting.append(mine)
            try:
                while True:
                    now = self._clock()
                    wait = line.pace.wait(now)
                    if wait == 0 and line.waiting[0] is mine:
                        return line.pace.leave()
                    if cancel.is_set():
                        raise Cancelled("Interrupted while a request waited to be sent.")
                    self._check(model, line.pace, now, most)
                    self._changed.wait(min(wait or TICK, TICK))
            finally:
                line.waiting.remove(mine)
                self._changed.notify_all()

    def _check(self, model: str, pace: SendRate, now: float, most: float) -> None:
        name = model.rpartition(" ")[2]
        if (left := pace.until - now) > most:
            what = f"{name} requests a pause of {left:.0f} s before the next request."
        elif pace.refused_since is not None and now - pace.refused_since > (self.patience or inf):
            left = inf
            what = f"{name} has rejected all requests for {now - pace.refused_since:.0f} s."
        else:
            return
        raise ModelError(what, "Try again later.", retryable=True, wait=left, billed=False, limited=True)

    def _refused(self, model: str, left: int, asked: float | None) -> None:
        with self._changed:
            self._lines[model].pace.refused(left, self._clock(), asked)
