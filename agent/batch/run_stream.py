"""What a run on a node does, on its way to the driver; and the driver's limiter, as the run sees it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from secrets import token_hex
from threading import Event as Signal
from threading import Lock, Thread

from agent.batch.attempt import Link, Sent
from agent.batch.hub import Event, Refusal
from agent.batch.place import Job
from agent.batch.streaming import Part, Sender
from agent.engine import Happening, Token
from agent.limiter import TICK, Limiter
from agent.settings import Settings
from trajectories.errors import Cancelled, ModelError, SweAgentError
from trajectories.journal import encode
from trajectories.records import Step

PAUSE = 0.2
"""Seconds between two looks at what is new."""
BEAT = 1.0
"""Seconds after which the driver is asked for its word although nothing is new."""
BATCH = 16 << 20
"""Bytes that are sent at once."""
WAIT = 5.0
"""Seconds that one question for a turn takes at most."""


@dataclass
class Stream:
    """Brings what a run does to the driver, every PAUSE seconds, and its word back; all of it once left."""

    sent: Sent
    link: Link
    directory: Path
    cancel: Token = field(default_factory=Token)

    def __enter__(self) -> Stream:
        self._sender = Sender(self.directory, self.sent.directory, sent=True)
        self._lock, self._over = Lock(), Signal()
        self._events: list[Event] = []
        self._asked = time.monotonic()
        self._thread = Thread(target=self._flow, name="stream", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, at: object) -> None:
        self._over.set()
        self._thread.join()
        with suppress(SweAgentError) if error is not None else nullcontext():
            self.flush(beat=True)

    def step(self, job: Job, step: Step, dollars: float | None) -> None:
        self._events.append(("step", "", encode(step).decode(), dollars))

    def happening(self, job: Job, event: Happening) -> None:
        """Words of a model as they come are left out: they are many, and nobody can read those of all runs."""
        if event.kind != "delta":
            self._events.append((event.kind, event.branch, event.text, None))

    def flush(self, beat: bool = False) -> None:
        """What is on disk here is on disk at the driver when this returns. Raises Cancelled where it is not wanted."""
        with self._lock:
            batch: list[Part] = []
            size = 0
            for part in self._sender.parts():
                batch.append(part)
                size += len(part.data)
                if size >= BATCH:
                    self._push(batch)
                    batch, size = [], 0
            if batch or self._events or beat or time.monotonic() - self._asked > BEAT:
                self._push(batch)

    def _push(self, parts: list[Part]) -> None:
        events = self._events[:]
        order = self.link.push(self.sent.token, parts, events)
        del self._events[: len(events)]
        self._asked = time.monotonic()
        if order != "go on":
            self.cancel.set()
        if order == "refused":
            raise Cancelled("The run is another node's now.")

    def _flow(self) -> None:
        try:
            while not self._over.wait(PAUSE):
                self.flush()
        except SweAgentError:  # the run ends, as nobody would hear of what it does; the last flush raises it again
            self.cancel.set()


class FarLimiter(Limiter):
    """The limiter of the driver, which all nodes share. A request leaves once the driver has its hold."""

    def __init__(self, stream: Stream, settings: Settings) -> None:
        super().__init__(settings.retry_wait, settings.patience)
        self._stream, self._link, self._token = stream, stream.link, stream.sent.token

    @contextmanager
    def turn(self, model: str, cancel: Signal, most: float = inf) -> Iterator[None]:
        request = token_hex(8)
        self._wait(request, model, cancel, most)
        answered, refusal = False, None
        try:
            yield
            answered = self._lines[model].answered = True
        except ModelError as error:
            refusal = Refusal(error.wait) if error.limited else None
            raise
        finally:
            self._link.leave(self._token, request, answered, refusal)

    def _wait(self, request: str, model: str, cancel: Signal, most: float) -> None:
        while not (turn := self._link.turn(self._token, request, model, most, WAIT)).now:
            if turn.why:
                raise ModelError(
                    turn.why, "Try again later.", retryable=True, wait=turn.wait, billed=False, limited=True
                )
            if cancel.wait(TICK) or cancel.is_set():
                raise Cancelled("Interrupted while a request waited for its turn.")

    def leaving(self) -> None:
        self._stream.flush()
        self._stream.cancel.check()

    def pause(self, model: str) -> float:
        return self._link.pause(model)
