"""The driver of a batch: workers, preparation of the next jobs, graceful shutdown, and the summary.

Workers are threads. Another thread prepares resources that the next job shares with other jobs (clone, index, image).
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, Thread

from agent.limits.cancellation import CancellationToken
from agent.run_state.run_ownership import RESULTS
from extensions.lab.batch.batch_budget import BudgetExhausted
from extensions.lab.batch.batch_worker import WorkerResources, lost_attempt, run_job
from extensions.lab.instances.jobs import Job, JobResult
from trajectories.errors import Cancelled, SweAgentError, UsageError, WorkspaceError

TICK = 0.1
LEAST_ALIKE = 3
VARIES = re.compile(r"\d+|'[^']*'|\"[^\"]*\"")
"""Parts of an error message that may differ between instances."""


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """The state of a batch.

    `exits` counts the runs by kind of exit, including infrastructure failures. `left` is the number of jobs still to
    do, including infrastructure failures but not unusable rows. `dollars` is None if a request had no price; it
    includes unsettled reservations. `error` is the error that stopped the batch.
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
        """The exit code: 0 for a finished batch, whatever the results of its instances."""
        return self.error.code if self.error else 0


class Batch:
    """A batch that runs `jobs` in this order. Setting `cancel` stops all of them gracefully."""

    def __init__(self, out: Path, jobs: Sequence[Job], means: WorkerResources, workers: int) -> None:
        self.out = out
        self.cancel: CancellationToken = means.cancel
        self._jobs, self._means, self._workers = jobs, means, workers
        self._taken = 0
        self._error: SweAgentError | None = None
        self._exhausted: BudgetExhausted | None = None
        self._same_failures: tuple[str, set[str]] = "", set()
        self._changed = Condition()

    def run(self) -> BatchSummary:
        """Run the jobs and record each result at once; return when all are done or no more can be run."""
        started = time.monotonic()
        self._means.front.began(self._jobs, tuple(self._means.store.done.values()))
        workers = [
            Thread(target=self._work, name=f"worker {number + 1}", daemon=True) for number in range(self._workers)
        ]
        ahead = Thread(target=self._prepare_ahead, name="ahead", daemon=True)
        for thread in (ahead, *workers):
            thread.start()
        for thread in workers:
            while thread.is_alive():  # short waits, so that signals are handled in between
                thread.join(TICK)
        with self._changed:
            self._taken = len(self._jobs)
            self._changed.notify_all()
        error = self._error
        if error is None and self.cancel.stopped:
            error = Cancelled("Interrupted.", "Start it again to continue.")
        return self.summary(time.monotonic() - started, error or self._exhausted)

    def summary(self, seconds: float = 0.0, error: SweAgentError | None = None) -> BatchSummary:
        store = self._means.store
        runs = store.done.keys() | {job.run for job in self._jobs}
        ended = [*store.done.values(), *(one for one in store.failed.values() if one.run in runs)]
        unusable = sum(one.code == UsageError.code for one in ended if not one.final)
        priced = self._means.priced and all(one.dollars is not None for one in ended)
        left = len(runs) - len(store.done) - unusable
        if left and error is None:
            what = f"Infrastructure failed for {left} of {len(runs)} jobs, which are still to do."
            error = WorkspaceError(what, f"See {self.out / RESULTS}; fix the cause, then start the batch again.")
        return BatchSummary(
            out=self.out,
            instances=len(runs),
            done=len(runs) - left,
            exits=dict(Counter(one.kind for one in ended).most_common()),
            verified=sum(one.verdict == "verified" for one in ended),
            dollars=self._means.batch_budget.spent if priced else None,
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
        except BaseException as error:  # noqa: BLE001 - otherwise the worker's job would be lost silently
            self._stop(SweAgentError(f"Internal error: {type(error).__name__}: {error}"))

    def _do(self, job: Job) -> None:
        try:
            done = run_job(job, self._means)
        except BudgetExhausted as error:  # another job may need less money
            self._exhausted = error
            return
        except SweAgentError:
            raise
        except Exception as error:  # noqa: BLE001 - an internal error in one instance must not end the others
            done = lost_attempt(job, error)
        self._means.record(done)
        self._check_common_failure(job, done)

    def _check_common_failure(self, job: Job, done: JobResult) -> None:
        """Stop the batch if so many instances in a row fail with the same error that a common cause is likely.

        Instances with the same image count as one; unusable rows are not counted.
        """
        gist = "" if done.final else VARIES.sub("", done.error)
        with self._changed:
            if done.final or gist != self._same_failures[0]:
                self._same_failures = gist, set()
            if done.final or done.code == UsageError.code:
                return
            self._same_failures[1].add(job.instance.image or job.instance.id)
            failed = len(self._same_failures[1])
        if failed >= max(LEAST_ALIKE, self._workers + 1):
            raise WorkspaceError(
                f"{failed} instances in a row failed with the same error: {done.error}",
                "Fix the cause, then start the batch again.",
            )

    def _next(self) -> Job | None:
        with self._changed:
            if self._error is not None or self.cancel.is_set() or self._taken >= len(self._jobs):
                return None
            self._taken += 1
            self._changed.notify_all()
            return self._jobs[self._taken - 1]

    def _stop(self, error: SweAgentError) -> None:
        """End the batch with an error that would affect all other instances as well."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()
        self._means.cancel.set()

    def _prepare_ahead(self) -> None:
        """Prepare what the next jobs need while earlier ones are being solved."""
        for number, job in enumerate(self._jobs):
            with self._changed:
                while self._taken < number and self._error is None and not self.cancel.is_set():
                    self._changed.wait(TICK)
                if self._error is not None or self.cancel.is_set():
                    return
                taken = self._taken > number
            if not taken:
                self._means.ahead(job)
