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

from agent.limits.send_rate import SendRate
from trajectories.errors import Cancelled, ModelError

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
