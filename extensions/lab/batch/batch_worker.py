"""The work on one job: reserve its budget, prepare it, solve it with retries, settle and record it."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from agent.config.settings import Settings
from agent.engine.engine import known_secrets, secrets_of_services
from agent.engine.run_events import current_stream
from agent.limits.cancellation import CancellationToken
from agent.limits.rate_limiter import Limiter
from agent.run_state.progress_event import ProgressEvent
from extensions.lab.batch.batch_budget import BatchBudget, Lease
from extensions.lab.batch.batch_spending import UnfinishedRun, dollars_spent, set_aside
from extensions.lab.batch.index_process import GraphIndexer
from extensions.lab.batch.job_run import failed_result
from extensions.lab.instances.host_errors import is_machine_error
from extensions.lab.instances.image_registry import ImageNotFound
from extensions.lab.instances.jobs import Executor, Job, JobResult, JobWatch
from trajectories.errors import (
    ConfigError,
    ModelError,
    RunBroken,
    SweAgentError,
    TryLater,
    UsageError,
    WorkspaceError,
)
from trajectories.records import Step

if TYPE_CHECKING:
    from extensions.lab.batch.reports.batch_results import ResultStore
    from extensions.lab.instances.instance_images import Images

PAUSE = 2.5
"""The pause before the second try, in units of `retry_wait`; each further pause is three times as long."""
LONGEST_PAUSE = 120.0
MOST_AHEAD = 100


class BatchDisplay(AbstractContextManager["BatchDisplay"], Protocol):
    """A display of a batch: a context manager that is entered before the first call and exited after the last.

    All methods but `began` may be called from any thread.
    """

    def began(self, jobs: Sequence[Job], done: Sequence[JobResult] = ()) -> None:
        """Called with the jobs to do now, and those `done` by earlier processes of the batch."""

    def started(self, job: Job, image: str) -> None:
        """Called when a worker takes the job; `image` is "" if there is no container or the image is not known."""

    def step(self, job: Job, step: Step, dollars: float | None) -> None:
        """Called after a step is recorded, with the dollars that its run has spent."""

    def happening(self, job: Job, event: ProgressEvent) -> None: ...

    def done(self, done: JobResult) -> None:
        """Called after a result is written to `results.jsonl`."""

    def say(self, text: str) -> None:
        """Show a line about the batch as a whole."""


class BatchHalt(WorkspaceError):
    """A failure that would affect all other instances as well."""


@dataclass(slots=True)
class WorkerResources:
    """What the workers of a batch share.

    `prepare` adds a job's repository and settings, `model` is the name in predictions, `begun` holds the unfinished
    runs, `tries` is the maximum number of tries after infrastructure failures. `check` raises WorkspaceError if all
    other instances would fail on this machine as well. Without `indexing`, the runs build their indexes themselves;
    without `images`, they pull their images.
    """

    place: Executor
    store: ResultStore
    batch_budget: BatchBudget
    front: BatchDisplay
    cancel: CancellationToken
    limiter: Limiter
    prepare: Callable[[Job], Job]
    model: str
    check: Callable[[Settings], object] | None = None
    indexing: GraphIndexer | None = None
    images: Images | None = None
    begun: dict[str, UnfinishedRun] = field(default_factory=dict)
    tries: int = 3
    _prepared: dict[str, Job] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    @property
    def watch(self) -> JobWatch:
        return JobWatch(self.cancel, self.limiter, self.front.step, self.front.happening)

    @property
    def priced(self) -> bool:
        """Whether the cost of all unfinished runs is known."""
        return all(run.spent is not None for run in self.begun.values())

    def ahead(self, job: Job) -> None:
        """Prepare what a job will need. Errors are ignored here; the worker that takes the job reports them."""
        with suppress(Exception):
            if self.images is not None:
                self.images.ahead(job)
            prepared = self.prepare(job)
            with self._lock:
                self._prepared[job.run] = prepared
                while len(self._prepared) > MOST_AHEAD:  # jobs taken before they were prepared stay here
                    self._prepared.pop(next(iter(self._prepared)))
            if self.indexing is not None:
                self.indexing.ahead(prepared.repository, base_of(prepared))

    def ready(self, job: Job) -> Job:
        """Return the job with its repository and settings, once its image and index exist."""
        with self._lock:
            prepared = self._prepared.pop(job.run, None)
        prepared = prepared or self.prepare(job)
        if self.images is not None:
            try:
                prepared = self.images.need(prepared, self.cancel)
            except ImageNotFound as error:
                raise _missing_image_error(job, prepared, error) from error
        if self.indexing is not None:
            self.indexing.ready(prepared.repository, base_of(prepared), self.cancel)
        return prepared

    def record(self, done: JobResult) -> None:
        """Record and show a result. Raises WorkspaceError if it cannot be written."""
        if self.store.add(done, self.model):
            self.front.done(done)
        if self.images is not None:
            self.images.release(done.run)


def _missing_image_error(job: Job, prepared: Job, error: ImageNotFound) -> SweAgentError:
    """Return the error for a missing image: UsageError if the instance's row or its repository names the image."""
    own = prepared.settings.image == job.instance.image or prepared.settings.image != job.settings.image
    return (UsageError if own else ConfigError)(error.message, error.fix)


def base_of(job: Job) -> str:
    return job.instance.base or "HEAD"


def run_job(job: Job, resources: WorkerResources) -> JobResult:
    """Run the job, settle its lease and return its result; errors other than those below become part of the result.

    Raises Cancelled, BudgetExhausted if the batch's budget does not cover the job, ConfigError for problems that only
    the user can fix, TryLater if the provider has refused all requests for a long time, WorkspaceError if this machine
    fails as a whole.
    """
    if stream := current_stream():
        stream.label(job.run, job.instance.id, job.repeat)
    try:
        return _run_with_lease(job, resources)
    except RunBroken as error:
        kept = set_aside(job.directory)
        resources.begun.pop(job.run, None)
        rest = f" Its previous folder is kept as {kept}." if kept.exists() else ""
        resources.front.say(f"{job.run} starts from scratch: {error.message}{rest}")
    except (ConfigError, TryLater) as error:
        if isinstance(error.__cause__, ModelError):  # the error's suggested fix is meant for a single run
            raise type(error)(error.message, f"{error.__cause__.fix} Then start the batch again.".strip()) from error
        raise
    return _run_with_lease(job, resources, last=True)


def lost_attempt(job: Job, error: Exception) -> JobResult:
    """Return the result of a job that failed with an internal error, and save the traceback next to its record."""
    with suppress(OSError):
        (job.directory / "error.txt").write_text("".join(traceback.format_exception(error)), "utf-8", "replace")
    failed = SweAgentError(f"Internal error: {type(error).__name__}: {error}")
    _publish_error(job, failed)
    return failed_result(job, failed)


def _run_with_lease(job: Job, resources: WorkerResources, last: bool = False) -> JobResult:
    """Run the job with a lease. Raises RunBroken unless this is the `last` start; the whole lease then counts as
    spent."""
    before = resources.begun.get(job.run) or UnfinishedRun()
    lease = resources.batch_budget.lease(before.wanted(job.settings.budget or 0.0), resources.cancel)
    try:
        done = _solve_with_retries(job, resources, last)
    except BaseException as error:  # re-raised below
        lease.give_back(lease.amount if isinstance(error, RunBroken) else _spent(job, lease, before))
        raise
    lease.give_back(lease.amount if done.dollars is None else done.dollars - (before.spent or 0.0))
    return done


def _spent(job: Job, lease: Lease, before: UnfinishedRun) -> float:
    """Return the dollars that this process spent on a run that it leaves unfinished, according to the journal."""
    now = dollars_spent(job.directory, None)
    return lease.amount if now is None else now - (before.spent or 0.0)


def _solve_with_retries(job: Job, resources: WorkerResources, last: bool) -> JobResult:
    """Solve the job; after an infrastructure failure, wait and resume the run, for a limited number of tries."""
    from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential

    def say(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        seconds = state.next_action.sleep if state.next_action else 0
        resources.front.say(f"{job.run}: {error} Next try in {seconds:.0f} s.")

    resources.front.started(job, job.settings.image if job.settings.workspace == "docker" else "")
    retrying = Retrying(
        retry=retry_if_exception(_is_retryable),
        stop=stop_after_attempt(resources.tries),
        wait=wait_exponential(multiplier=PAUSE * job.settings.retry_wait, exp_base=3, max=LONGEST_PAUSE),
        before_sleep=say,
        sleep=resources.cancel.sleep,
        reraise=True,
    )
    try:
        done: JobResult = retrying(_try, job, resources)
    except (UsageError, TryLater, WorkspaceError) as error:
        if isinstance(error, BatchHalt) or _is_rate_limited(error) or (isinstance(error, RunBroken) and not last):
            raise
        if is_machine_error(error):
            raise BatchHalt(error.message, error.fix) from error
        if resources.check is not None and not isinstance(error, UsageError):
            resources.check(job.settings)
        done = failed_result(job, error)
    return replace(done, tries=retrying.statistics["attempt_number"])


def _is_retryable(error: BaseException) -> bool:
    another = isinstance(error, WorkspaceError | TryLater) and not isinstance(error, BatchHalt | RunBroken)
    return another and not _is_rate_limited(error)


def _is_rate_limited(error: BaseException) -> bool:
    """Whether the provider refuses all requests, so that all other instances would fail as well."""
    return isinstance(error.__cause__, ModelError) and error.__cause__.limited


def _try(job: Job, resources: WorkerResources) -> JobResult:
    """Solve the job once; the error of a try that fails is an event, wherever the try ran."""
    try:
        return _solve_once(job, resources)
    except SweAgentError as error:
        _publish_error(job, error)
        raise


def _publish_error(job: Job, error: SweAgentError) -> None:
    if stream := current_stream():
        secrets = (*known_secrets(os.environ), *secrets_of_services(job.settings))
        stream.error(job.run, error.code, error.message, error.fix, secrets)


def _solve_once(job: Job, resources: WorkerResources) -> JobResult:
    try:
        return resources.place.solve(_prepare(job, resources), resources.watch)
    except OSError as error:
        what = f"This machine failed: {error.strerror or error}{f' ({error.filename})' if error.filename else ''}."
        failed = WorkspaceError(what, "Fix it, then start the batch again.")
        failed.__cause__ = error
    except WorkspaceError as error:
        failed = error
    resources.cancel.check()  # if the run was stopped, its errors do not mean that the machine failed
    raise failed


def _prepare(job: Job, resources: WorkerResources) -> Job:
    """Prepare the job. Raises BatchHalt if the batch's own records are damaged; the run's records are not read yet."""
    try:
        return resources.ready(job)
    except RunBroken as error:
        raise BatchHalt(error.message, error.fix) from error
