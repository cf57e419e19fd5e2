"""A run on a machine that is not the driver's: it begins with what the driver has of it, and all it does goes there."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from secrets import token_hex
from threading import Event as Signal
from threading import Lock, Thread
from typing import Protocol

from agent.batch.clones import here
from agent.batch.hub import Event, Order, Refusal, Turn
from agent.batch.place import Done, Instance, Job, Watch
from agent.batch.solving import solve_job
from agent.batch.streaming import Part, Receiver, Sender
from agent.engine import Happening, Token
from agent.limiter import TICK, Limiter
from agent.settings import Settings
from agent.solve import VERSION
from trajectories import errors
from trajectories.errors import Cancelled, ConfigError, ModelError, SweAgentError, WorkspaceError
from trajectories.journal import begun, encode, first_record, read
from trajectories.records import Step

PAUSE = 0.2
"""Seconds between two looks at what is new."""
BEAT = 1.0
"""Seconds after which the driver is asked for its word although nothing is new."""
BATCH = 16 << 20
"""Bytes that are sent at once."""
WAIT = 5.0
"""Seconds that one question for a turn takes at most."""
RAISED = ("UsageError", "ConfigError", "RunBroken", "WorkspaceError", "TryLater", "Cancelled", "SweAgentError")


class Link(Protocol):
    """The hub, as a node reaches it; see `agent/batch/hub.py`. What fails on the way is raised as WorkspaceError."""

    def pull(self, token: str) -> list[Part]: ...
    def keys(self, token: str) -> dict[str, str]: ...
    def push(self, token: str, parts: Sequence[Part], events: Sequence[Event]) -> Order: ...
    def turn(self, token: str, request: str, model: str, most: float, wait: float) -> Turn: ...
    def leave(self, token: str, request: str, answered: bool, refusal: Refusal | None) -> None: ...
    def pause(self, model: str) -> float: ...
    def bundle(self, root: Path, commit: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Sent:
    """One attempt at a job, as a node is given it; what its run is about, and its settings, come with its folder.

    `directory` and `repository` are where the run and its repository lie at the driver; `state` says what that
    repository is, `commit` is the run's base.
    """

    token: str
    instance: str
    repeat: int
    directory: Path
    repository: Path
    state: str
    commit: str
    version: str = VERSION


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: with what the job came to, or with an error of that name."""

    done: Done | None = None
    error: str = ""
    message: str = ""
    fix: str = ""
    cause: tuple[str, str, bool] | None = None
    """Message, fix and `limited` of the failed request that the error comes of."""

    @staticmethod
    def of(error: SweAgentError) -> Outcome:
        kind = next(one.__name__ for one in type(error).__mro__ if one.__name__ in RAISED)
        asked = error.__cause__
        cause = (asked.message, asked.fix, asked.limited) if isinstance(asked, ModelError) else None
        return Outcome(None, kind, error.message, error.fix, cause)

    def result(self) -> Done:
        """Raises what the attempt raised."""
        if self.done is not None:
            return self.done
        kind: type[SweAgentError] = getattr(errors, self.error)
        cause = ModelError(self.cause[0], self.cause[1], limited=self.cause[2]) if self.cause else None
        raise kind(self.message, self.fix) from cause


def solve_sent(sent: Sent, link: Link) -> Outcome:
    """Solve the job here. All that it did has arrived at the driver when this returns an outcome with `done`."""
    with tempfile.TemporaryDirectory(prefix="swe-agent-node-", ignore_cleanup_errors=True) as state:
        try:
            return Outcome(_solve(sent, link, Path(state)))
        except SweAgentError as error:
            return Outcome.of(error)
        except OSError as error:
            return Outcome.of(WorkspaceError(f"A node failed: {error.strerror or error}.", "Mend that machine."))


def _solve(sent: Sent, link: Link, state: Path) -> Done:
    if sent.version != VERSION:
        what = f"The driver is swe-agent {sent.version}, a node has {VERSION}."
        raise ConfigError(what, "Install the same version on all nodes.")
    os.environ.update(link.keys(sent.token))
    receiver = Receiver(state / "runs" / sent.directory.name)
    while parts := link.pull(sent.token):
        receiver.take(parts)
    if not begun(receiver.directory):
        raise Cancelled("The run is another node's now.")
    record = first_record(read(receiver.directory), receiver.directory)
    settings = Settings(**record.settings, state=state)
    repository = here(sent.repository, sent.state, sent.commit, lambda: link.bundle(sent.repository, sent.commit))
    job = Job(Instance(sent.instance, record.repository, sent.commit, record.issue), sent.repeat, repository, settings)
    with Stream(sent, link, job.directory) as stream:
        return solve_job(job, Watch(stream.cancel, FarLimiter(stream, settings), stream.step, stream.happening))


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
            answered = True
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
