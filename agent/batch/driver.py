"""A batch from its first job to its last: workers, what lies ahead of them, the way to stop, and what came of it all.

Workers are threads. What they share (the limiter, the clones, the index, the images) is made ahead for the job that is
next, by a thread of its own.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, Thread
from typing import Protocol

from agent.batch.place import Done, Job
from agent.batch.purse import Exhausted
from agent.batch.working import Means, lost, worked
from agent.engine import Happening, Token
from trajectories.errors import Cancelled, SweAgentError
from trajectories.records import Step

TICK = 0.1


@dataclass(frozen=True, slots=True)
class Summary:
    """What a batch has come to so far. `exits` counts the kinds of all that is done, `left` is what is still to do.

    `dollars` is null where a request had no price; what is only held counts. `error` is what it was stopped by.
    """

    out: Path
    instances: int
    done: int
    exits: dict[str, int] = field(default_factory=dict)
    verified: int = 0
    dollars: float | None = 0.0
    seconds: float = 0.0
    left: int = 0
    error: SweAgentError | None = None

    @property
    def code(self) -> int:
        """The exit code: a batch that is done is 0, whatever its instances came to."""
        return self.error.code if self.error else 0


class Front(AbstractContextManager["Front"], Protocol):
    """Shows a batch; entered before the first call, left after the last. All but `began` may come from any thread."""

    def began(self, jobs: Sequence[Job], done: Sequence[Done] = ()) -> None:
        """These are to be done now; `done` was done by earlier processes of the batch."""

    def started(self, job: Job, image: str) -> None:
        """A worker has taken the job; `image` is "" where its workspace is no container, or the image is not known."""

    def step(self, job: Job, step: Step, dollars: float | None) -> None:
        """A step is on the record; dollars that its run has come to."""

    def happening(self, job: Job, event: Happening) -> None: ...

    def done(self, done: Done) -> None:
        """It is on the record in `results.jsonl`."""

    def say(self, text: str) -> None:
        """A line about the batch as a whole."""


class Batch:
    """`jobs` are what is still to do, in this order. `cancel`, once set, stops all of them in order."""

    def __init__(self, out: Path, jobs: Sequence[Job], means: Means, workers: int) -> None:
        self.out = out
        self.cancel: Token = means.cancel
        self._jobs, self._means, self._workers = jobs, means, workers
        self._taken = 0
        self._error: SweAgentError | None = None
        self._changed = Condition()

    def run(self) -> Summary:
        """Do the jobs, each on the record as soon as it is done; return when all are, or nothing more can be."""
        started = time.monotonic()
        self._means.front.began(self._jobs, tuple(self._means.store.done.values()))
        workers = [
            Thread(target=self._work, name=f"worker {number + 1}", daemon=True) for number in range(self._workers)
        ]
        ahead = Thread(target=self._ahead, name="ahead", daemon=True)
        for thread in (ahead, *workers):
            thread.start()
        for thread in workers:
            while thread.is_alive():  # in short waits: signals are heeded between them
                thread.join(TICK)
        with self._changed:
            self._taken = len(self._jobs)
            self._changed.notify_all()
        error = self._error
        if error is None and self.cancel.stopped:
            error = Cancelled("Interrupted.", "Start it again to go on.")
        return self.summary(time.monotonic() - started, error)

    def summary(self, seconds: float = 0.0, error: SweAgentError | None = None) -> Summary:
        done = self._means.store.done
        priced = self._means.priced and all(one.dollars is not None for one in done.values())
        mine = sum(job.run in done for job in self._jobs)
        return Summary(
            out=self.out,
            instances=len(done) + len(self._jobs) - mine,
            done=len(done),
            exits=dict(Counter(one.kind for one in done.values()).most_common()),
            verified=sum(one.verdict == "verified" for one in done.values()),
            dollars=self._means.purse.spent if priced else None,
            seconds=round(seconds, 3),
            left=len(self._jobs) - mine,
            error=error,
        )

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                self._means.record(worked(job, self._means))
            except Cancelled:
                return
            except SweAgentError as error:
                self._stop(error)
                return
            except Exception as error:  # noqa: BLE001 - a fault of ours in one instance is not to end all others
                try:
                    self._means.record(lost(job, error))
                except SweAgentError as second:
                    self._stop(second)
                    return

    def _next(self) -> Job | None:
        with self._changed:
            if self._error is not None or self.cancel.is_set() or self._taken >= len(self._jobs):
                return None
            self._taken += 1
            self._changed.notify_all()
            return self._jobs[self._taken - 1]

    def _stop(self, error: SweAgentError) -> None:
        """End the batch for a reason that no other instance would escape. Where only money is lacking, those that have
        theirs go on to their end."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()
        if not isinstance(error, Exhausted):
            self._means.cancel.set()

    def _ahead(self) -> None:
        """Make ready what the next job needs, while those before it are solved."""
        for number, job in enumerate(self._jobs):
            with self._changed:
                while self._taken < number and self._error is None and not self.cancel.is_set():
                    self._changed.wait(TICK)
                if self._error is not None or self.cancel.is_set():
                    return
                taken = self._taken > number
            if not taken:
                self._means.ahead(job)
