"""When requests may leave. All runs of a process share one: a provider that says "too many" slows all who ask it."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from random import Random
from threading import Condition, Event

from agent.pacing import Pace
from trajectories.errors import Cancelled, ModelError

TICK = 0.1
"""Seconds between looks at whether a wait was cancelled."""


@dataclass
class _Line:
    """Those who wait for one model, first come first served."""

    pace: Pace
    waiting: deque[object] = field(default_factory=deque)
    answered: bool = False


class Limiter:
    """Turns by model; a model is named with its address.

    `first` is the first pause in seconds where a provider names none. `patience` is for how many seconds a provider may
    go on to refuse everybody; with none, each request counts its own tries.
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
        self._lines: defaultdict[str, _Line] = defaultdict(lambda: _Line(Pace(first, random)))
        self._changed = Condition()

    @contextmanager
    def turn(self, model: str, cancel: Event, most: float = inf) -> Iterator[None]:
        """One request of `model`: begins when it may leave, and what it raises says whether it was one too many.

        Raises Cancelled while it waits; ModelError, with nothing sent, where the pause takes more than `most` seconds,
        or the provider's refusals have outlasted our patience.
        """
        left = self._leave(model, cancel, most)
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
        """A request leaves now; its hold is on disk. Raises Cancelled where it must not."""

    def has_answered(self, model: str) -> bool:
        """Whether it has answered any request of this process: our key is good for it."""
        with self._changed:
            return self._lines[model].answered

    def pause(self, model: str) -> float:
        """For how many seconds no request to the model leaves."""
        with self._changed:
            return max(0.0, self._lines[model].pace.until - self._clock())

    def pauses(self) -> dict[str, float]:
        """The pauses that there are now, by the model's name alone."""
        with self._changed:
            now = self._clock()
            left = {model: line.pace.until - now for model, line in self._lines.items()}
        return {model.rpartition(" ")[2]: seconds for model, seconds in left.items() if seconds > 0}

    def _leave(self, model: str, cancel: Event, most: float) -> int:
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
                        raise Cancelled("Interrupted while a request waited for its turn.")
                    self._check(model, line.pace, now, most)
                    self._changed.wait(min(wait or TICK, TICK))
            finally:
                line.waiting.remove(mine)
                self._changed.notify_all()

    def _check(self, model: str, pace: Pace, now: float, most: float) -> None:
        name = model.rpartition(" ")[2]
        if (left := pace.until - now) > most:
            what = f"{name} is to be asked again in {left:.0f} s, and not before."
        elif pace.refused_since is not None and now - pace.refused_since > (self.patience or inf):
            left = inf
            what = f"{name} has refused all requests for {now - pace.refused_since:.0f} s."
        else:
            return
        raise ModelError(what, "Try again later.", retryable=True, wait=left, billed=False, limited=True)

    def _refused(self, model: str, left: int, asked: float | None) -> None:
        with self._changed:
            self._lines[model].pace.refused(left, self._clock(), asked)
