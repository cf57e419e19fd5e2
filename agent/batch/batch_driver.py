"""A batch from its first job to its last: workers, what lies ahead of them, the way to stop, and what came of it all.

Workers are threads. What they share (the limiter, the clones, the index, the images) is made ahead for the job that is
next, by a thread of its own.
"""

from __future__ import annotations

import re
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
from agent.ownership import RESULTS
from trajectories.errors import Cancelled, SweAgentError, UsageError, WorkspaceError
from trajectories.records import Step

TICK = 0.1
LEAST_ALIKE = 3
VARIES = re.compile(r"\d+|'[^']*'|\"[^\"]*\"")
"""What of an error may be of one instance alone."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a batch has come to so far. `exits` counts the kinds of all that is done, and what infrastructure failed;
    `left` is what is still to do, of that too all but rows that cannot be used.

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
        self._unpaid: Exhausted | None = None
        self._alike: tuple[str, set[str]] = "", set()
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
        return self.summary(time.monotonic() - started, error or self._unpaid)

    def summary(self, seconds: float = 0.0, error: SweAgentError | None = None) -> Summary:
        store = self._means.store
        runs = store.done.keys() | {job.run for job in self._jobs}
        ended = [*store.done.values(), *(one for one in store.failed.values() if one.run in runs)]
        unusable = sum(one.code == UsageError.code for one in ended if not one.final)
        priced = self._means.priced and all(one.dollars is not None for one in ended)
        left = len(runs) - len(store.done) - unusable
        if left and error is None:
            what = f"Infrastructure failed {left} of {len(runs)}, which are still to do."
            error = WorkspaceError(what, f"See {self.out / RESULTS}; mend it, then start the batch again.")
        return Summary(
            out=self.out,
            instances=len(runs),
            done=len(runs) - left,
            exits=dict(Counter(one.kind for one in ended).most_common()),
            verified=sum(one.verdict == "verified" for one in ended),
            dollars=self._means.purse.spent if priced else None,
            seconds=round(seconds, 3),
            left=left,
            error=error,
        )

    def _work(self) -> None:
        try:
            while (job := self._next()) is not None:
                self._do(job)
        except Cancelled:
            pass
        except SweAgentError as error:
            self._stop(error)
        except BaseException as error:  # noqa: BLE001 - a worker that ended in silence would leave its job to nobody
            self._stop(SweAgentError(f"A fault of swe-agent's own: {type(error).__name__}: {error}"))

    def _do(self, job: Job) -> None:
        try:
            done = worked(job, self._means)
        except Exhausted as error:  # another may want less, or have ended
            self._unpaid = error
            return
        except SweAgentError:
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours in one instance is not to end all others
            done = lost(job, error)
        self._means.record(done)
        self._heed(job, done)

    def _heed(self, job: Job, done: Done) -> None:
        """Stop where so many in a row fail alike that it is not them. Those of an image that their rows name are one,
        and rows that cannot be used are none."""
        gist = "" if done.final else VARIES.sub("", done.error)
        with self._changed:
            if done.final or gist != self._alike[0]:
                self._alike = gist, set()
            if done.final or done.code == UsageError.code:
                return
            self._alike[1].add(job.instance.image or job.instance.id)
            failed = len(self._alike[1])
        if failed >= max(LEAST_ALIKE, self._workers + 1):
            raise WorkspaceError(
                f"{failed} instances in a row failed alike: {done.error}", "Mend it, then start the batch again."
            )

    def _next(self) -> Job | None:
        with self._changed:
            if self._error is not None or self.cancel.is_set() or self._taken >= len(self._jobs):
                return None
            self._taken += 1
            self._changed.notify_all()
            return self._jobs[self._taken - 1]

    def _stop(self, error: SweAgentError) -> None:
        """End the batch for a reason that no other instance would escape."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()
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
