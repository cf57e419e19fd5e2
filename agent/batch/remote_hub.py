"""The driver's side of runs that are solved on other machines: keeps what they send, and says who may go on.

Each attempt at a run has a token. Only the latest attempt at a run is heeded: what comes of an earlier one, from a node
that was thought lost, is refused, and so are its requests.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, Lock
from typing import TYPE_CHECKING, Literal

from agent.batch.clones import bundle
from agent.batch.streaming import Part, Receiver, Sender, cut_torn
from agent.engine import Token
from agent.limiter import Limiter
from trajectories.errors import Cancelled, ModelError
from trajectories.journal import locked

if TYPE_CHECKING:
    from filelock import FileLock

Order = Literal["go on", "stop", "refused"]
Event = tuple[str, str, str, float | None]
"""What a front end may show: (`step`, "", the record, dollars so far) or (a happening's kind, branch, text, None)."""
BATCH = 16 << 20
"""Bytes of a run's folder that a node asks for at once."""
EVENTS = 1000
"""Kept of a run that the driver has not asked for; the journal holds what counts."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a request is told that asked for its turn: to leave (`now`), to ask again, or (`why`) that it will have none
    for `wait` seconds."""

    now: bool = False
    why: str = ""
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A provider has refused a request as one too many, and asks for a pause of so many seconds, or does not say."""

    wait: float | None


@dataclass(slots=True)
class Attempt:
    directory: Path
    keys: dict[str, str]
    held: FileLock
    parts: Iterator[Part]
    receiver: Receiver
    stop: Token = field(default_factory=Token)
    begun: bool = False
    closed: bool = False
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=EVENTS))
    turns: dict[str, AbstractContextManager[None]] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)
    news: Condition = field(default_factory=Condition)


class Hub:
    """Shared by all attempts of a batch; its methods may be called from any thread."""

    def __init__(self, retry_wait: float, patience: float) -> None:
        self._limiter = Limiter(retry_wait, patience)
        self._attempts: dict[str, Attempt] = {}
        self._bundling = Lock()

    # Asked by the driver

    def open(self, token: str, directory: Path, keys: dict[str, str], digest: Path | None = None) -> None:
        """Begin an attempt at the run in this folder; those before it are over. `keys` by their variables' names. The
        journal's digest is kept in the file `digest`.

        Raises TryLater where another process works on the run.
        """
        for other, attempt in list(self._attempts.items()):
            if attempt.directory == directory:
                self.close(other)
        lock = locked(directory)
        cut_torn(directory)
        self._attempts[token] = Attempt(directory, keys, lock, Sender(directory).parts(), Receiver(directory, digest))

    def stop(self, token: str) -> bool:
        """Have the attempt stopped in order; whether any node has begun with it."""
        attempt = self._attempts[token]
        attempt.stop.set()
        return attempt.begun

    def begun(self, token: str) -> bool:
        """Whether any node has begun with the attempt."""
        return self._attempts[token].begun

    def news(self, token: str, wait: float) -> list[Event]:
        """What there is to show since the last time, once there is something, or after `wait` seconds."""
        attempt = self._attempts[token]
        with attempt.news:
            attempt.news.wait_for(lambda: attempt.events or attempt.closed, wait)
            events = list(attempt.events)
            attempt.events.clear()
        return events

    def close(self, token: str) -> None:
        """The attempt is over; nothing that comes of it is taken once this returns."""
        attempt = self._attempts.pop(token, None)
        if attempt is None:
            return
        attempt.stop.set()
        with attempt.lock:  # what is being written is written whole
            attempt.closed = True
            attempt.receiver.close()
            turns = list(attempt.turns.values())
            attempt.turns.clear()
        attempt.held.release()
        for turn in turns:
            _end(turn, None)
        with attempt.news:
            attempt.news.notify_all()

    # Asked by nodes

    def pull(self, token: str) -> list[Part]:
        """The next of what the run's folder holds; nothing when all is sent, or the attempt is over."""
        attempt = self._attempts.get(token)
        if attempt is None:
            return []
        attempt.begun = True
        parts, size = [], 0
        for part in attempt.parts:
            parts.append(part)
            size += len(part.data)
            if size >= BATCH:
                break
        return parts

    def keys(self, token: str) -> dict[str, str]:
        attempt = self._attempts.get(token)
        return attempt.keys if attempt else {}

    def push(self, token: str, parts: Sequence[Part], events: Sequence[Event]) -> Order:
        """Keep what a run did; it is on disk when this returns `go on`, or `stop`."""
        attempt = self._attempts.get(token)
        if attempt is None:
            return "refused"
        with attempt.lock:
            if attempt.closed:
                return "refused"
            attempt.receiver.take(parts)
        with attempt.news:
            attempt.events.extend(events)
            attempt.news.notify_all()
        return "stop" if attempt.stop.is_set() else "go on"

    def turn(self, token: str, request: str, model: str, most: float, wait: float) -> Turn:
        """The request's turn at the limiter that all nodes share, if it comes within `wait` seconds."""
        attempt = self._attempts.get(token)
        if attempt is None:
            return Turn()
        until = Token(attempt.stop)
        until.deadline = time.monotonic() + wait
        turn = self._limiter.turn(model, until, most)
        try:
            turn.__enter__()
        except Cancelled:
            return Turn()
        except ModelError as error:
            return Turn(why=error.message, wait=error.wait or 0.0)
        with attempt.lock:
            if not attempt.closed:
                attempt.turns[request] = turn
                return Turn(now=True)
        _end(turn, None)
        return Turn()

    def leave(self, token: str, request: str, answered: bool, refusal: Refusal | None) -> None:
        """The request is over: answered, refused as one too many, or failed otherwise."""
        attempt = self._attempts.get(token)
        if attempt is None:
            return
        with attempt.lock:
            turn = attempt.turns.pop(request, None)
        if turn is not None:
            _end(turn, refusal, answered)

    def pause(self, model: str) -> float:
        return self._limiter.pause(model)

    def bundle(self, root: Path, commit: str) -> bytes:
        """The repository at `root` for a node that does not have it; one at a time is made."""
        with self._bundling:
            return bundle(root, commit)


def _end(turn: AbstractContextManager[None], refusal: Refusal | None, answered: bool = False) -> None:
    """End a turn as its own thread would have, had it been here."""
    error: Exception = Cancelled("The attempt is over.")
    if refusal is not None:
        error = ModelError("One too many.", limited=True, wait=refusal.wait)
    if answered:
        turn.__exit__(None, None, None)
    else:
        turn.__exit__(type(error), error, None)
