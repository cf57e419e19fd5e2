"""The driver's side of runs on other machines: it stores what they send and controls their requests.

Each attempt at a run has a token. Only the latest attempt counts: data and requests of an earlier one, from a node that
was considered lost, are refused.
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

from agent.limits.cancellation import CancellationToken
from agent.limits.rate_limiter import Limiter
from extensions.lab.batch.repository_bundles import bundle
from extensions.lab.batch.run_upload import FileChunk, Receiver, Sender, cut_incomplete_line
from trajectories.errors import Cancelled, ModelError
from trajectories.journal import lock_run

if TYPE_CHECKING:
    from filelock import FileLock

Order = Literal["go on", "stop", "refused"]
Event = tuple[str, str, str, float | None]
"""An event to display: (`step`, "", the record, dollars so far) or (a progress event's kind, branch, text, None)."""
BATCH = 16 << 20
"""Approximate number of bytes of a run's folder that a node fetches at once."""
EVENTS = 1000
"""Maximum number of events kept for the driver; the journal holds everything that matters."""


@dataclass(frozen=True, slots=True)
class PermitReply:
    """The answer to a request for a permit. If `now` is true, the permit is granted. If `why` is not empty, it is the
    reason for which the request is refused for `wait` seconds. Otherwise, the node should ask again."""

    now: bool = False
    why: str = ""
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """The refusal of a request because of a provider's rate limit; `wait` is the requested pause in seconds, if any."""

    wait: float | None


@dataclass(slots=True)
class Attempt:
    directory: Path
    keys: dict[str, str]
    held: FileLock
    parts: Iterator[FileChunk]
    receiver: Receiver
    stop: CancellationToken = field(default_factory=CancellationToken)
    begun: bool = False
    closed: bool = False
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=EVENTS))
    turns: dict[str, AbstractContextManager[None]] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)
    news: Condition = field(default_factory=Condition)


class Hub:
    """The hub that all attempts of a batch share; its methods may be called from any thread."""

    def __init__(self, retry_wait: float, patience: float) -> None:
        self._limiter = Limiter(retry_wait, patience)
        self._attempts: dict[str, Attempt] = {}
        self._bundling = Lock()

    # Called by the driver

    def open(self, token: str, directory: Path, keys: dict[str, str], digest: Path | None = None) -> None:
        """Start an attempt at the run in this folder and end earlier ones.

        `keys` holds API keys by variable name. The journal's digest is stored in the file `digest`. Raises TryLater if
        another process works on the run.
        """
        for other, attempt in list(self._attempts.items()):
            if attempt.directory == directory:
                self.close(other)
        lock = lock_run(directory)
        cut_incomplete_line(directory)
        self._attempts[token] = Attempt(directory, keys, lock, Sender(directory).parts(), Receiver(directory, digest))

    def stop(self, token: str) -> bool:
        """Request a graceful stop of the attempt; return whether a node has started it."""
        attempt = self._attempts[token]
        attempt.stop.set()
        return attempt.begun

    def has_started(self, token: str) -> bool:
        """Whether a node has started the attempt."""
        return self._attempts[token].begun

    def news(self, token: str, wait: float) -> list[Event]:
        """Return the new events as soon as there are any, or after `wait` seconds."""
        attempt = self._attempts[token]
        with attempt.news:
            attempt.news.wait_for(lambda: attempt.events or attempt.closed, wait)
            events = list(attempt.events)
            attempt.events.clear()
        return events

    def close(self, token: str) -> None:
        """End the attempt; data that it sends afterwards is refused."""
        attempt = self._attempts.pop(token, None)
        if attempt is None:
            return
        attempt.stop.set()
        with attempt.lock:  # lets a write in progress finish
            attempt.closed = True
            attempt.receiver.close()
            turns = list(attempt.turns.values())
            attempt.turns.clear()
        attempt.held.release()
        for turn in turns:
            _end(turn, None)
        with attempt.news:
            attempt.news.notify_all()

    # Called by nodes

    def pull(self, token: str) -> list[FileChunk]:
        """Return the next chunks of the run's folder; none when all are sent or the attempt is over."""
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

    def push(self, token: str, parts: Sequence[FileChunk], events: Sequence[Event]) -> Order:
        """Store what an attempt sends; the data is on disk when this returns `go on` or `stop`."""
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

    def turn(self, token: str, request: str, model: str, most: float, wait: float) -> PermitReply:
        """Request a permit from the rate limiter that all nodes share; wait for it for up to `wait` seconds."""
        attempt = self._attempts.get(token)
        if attempt is None:
            return PermitReply()
        until = CancellationToken(attempt.stop)
        until.deadline = time.monotonic() + wait
        turn = self._limiter.turn(model, until, most)
        try:
            turn.__enter__()
        except Cancelled:
            return PermitReply()
        except ModelError as error:
            return PermitReply(why=error.message, wait=error.wait or 0.0)
        with attempt.lock:
            if not attempt.closed:
                attempt.turns[request] = turn
                return PermitReply(now=True)
        _end(turn, None)
        return PermitReply()

    def leave(self, token: str, request: str, answered: bool, refusal: Refusal | None) -> None:
        """Give back the permit of a request that was answered, refused by a rate limit, or failed otherwise."""
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
        """Return the repository at `root` as a git bundle for a node that does not have it; only one bundle is made at
        a time."""
        with self._bundling:
            return bundle(root, commit)


def _end(turn: AbstractContextManager[None], refusal: Refusal | None, answered: bool = False) -> None:
    """Exit the limiter's context manager, as the thread that made the request would."""
    error: Exception = Cancelled("The attempt is over.")
    if refusal is not None:
        error = ModelError("Rate limit reached.", limited=True, wait=refusal.wait)
    if answered:
        turn.__exit__(None, None, None)
    else:
        turn.__exit__(type(error), error, None)
