"""The stream of records and events from a run on a node to the driver, and the client of the driver's rate limiter."""

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

from agent.config.settings import Settings
from agent.limits.cancellation import CancellationToken
from agent.limits.rate_limiter import TICK, Limiter
from agent.run_state.progress_event import LIVE_DETAILS, ProgressEvent
from extensions.lab.batch.node_messages import HubConnection, RemoteJob
from extensions.lab.batch.remote_hub import Event, Refusal
from extensions.lab.batch.run_upload import FileChunk, Sender
from extensions.lab.instances.jobs import Job
from trajectories.errors import Cancelled, ModelError, SweAgentError
from trajectories.journal import encode
from trajectories.records import Step

PAUSE = 0.2
"""Seconds between two checks for new data."""
LONGEST_SILENCE = 1.0
"""Seconds after which the driver is asked for orders even without new data."""
BATCH = 16 << 20
"""Approximate number of bytes that are sent at once."""
WAIT = 5.0
"""Maximum number of seconds that one request for a permit may take."""


@dataclass
class RunStream:
    """Sends a run's records and events to the driver every PAUSE seconds and receives its orders; on exit, sends the
    remaining data."""

    sent: RemoteJob
    link: HubConnection
    directory: Path
    cancel: CancellationToken = field(default_factory=CancellationToken)

    def __enter__(self) -> RunStream:
        self._sender = Sender(self.directory, self.sent.directory, sent=True)
        self._lock, self._over = Lock(), Signal()
        self._events: list[Event] = []
        self._asked = time.monotonic()
        self._thread = Thread(target=self._send_regularly, name="stream", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, at: object) -> None:
        self._over.set()
        self._thread.join()
        with suppress(SweAgentError) if error is not None else nullcontext():
            self.flush(always=True)

    def step(self, job: Job, step: Step, dollars: float | None) -> None:
        self._events.append(("step", "", encode(step).decode(), dollars))

    def happening(self, job: Job, event: ProgressEvent) -> None:
        """Queue an event for the driver, except for pieces of replies and of outputs: they are too many to display."""
        if event.kind != "delta" and event.kind not in LIVE_DETAILS:
            self._events.append((event.kind, event.branch, event.text, None))

    def flush(self, always: bool = False) -> None:
        """Send the run's new data on this disk, and the queued events, to the driver. Raises Cancelled if the driver
        has ended the attempt."""
        with self._lock:
            batch: list[FileChunk] = []
            size = 0
            for part in self._sender.parts():
                batch.append(part)
                size += len(part.data)
                if size >= BATCH:
                    self._push(batch)
                    batch, size = [], 0
            if batch or self._events or always or time.monotonic() - self._asked > LONGEST_SILENCE:
                self._push(batch)

    def _push(self, parts: list[FileChunk]) -> None:
        events = self._events[:]
        order = self.link.push(self.sent.token, parts, events)
        del self._events[: len(events)]
        self._asked = time.monotonic()
        if order != "go on":
            self.cancel.set()
        if order == "refused":
            raise Cancelled("Another node has taken over the run.")

    def _send_regularly(self) -> None:
        try:
            while not self._over.wait(PAUSE):
                self.flush()
        except SweAgentError:  # end the run, since its data cannot be sent; the last flush raises the error again
            self.cancel.set()


class RemoteLimiter(Limiter):
    """A client of the driver's rate limiter, which all nodes share. Before each request, the record of its reservation
    is sent to the driver."""

    def __init__(self, stream: RunStream, settings: Settings) -> None:
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
                raise Cancelled("Interrupted while a request was waiting for a permit.")

    def leaving(self) -> None:
        self._stream.flush()
        self._stream.cancel.check()

    def pause(self, model: str) -> float:
        return self._link.pause(model)
