"""One job from its lease to its line in the results: made ready, solved, tried again, settled."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING

from agent.batch.indexing import Indexing
from agent.batch.machine import of_machine
from agent.batch.place import Done, Job, Place, Watch
from agent.batch.pulling import Missing
from agent.batch.purse import Lease, Purse
from agent.batch.solving import given_up
from agent.batch.spending import Begun, set_aside, spent_in
from agent.engine import Token
from agent.limiter import Limiter
from agent.settings import Settings
from trajectories.errors import (
    ConfigError,
    ModelError,
    RunBroken,
    SweAgentError,
    TryLater,
    UsageError,
    WorkspaceError,
)

if TYPE_CHECKING:
    from agent.batch.driver import Front
    from agent.batch.images import Images
    from agent.batch.store import Store

PAUSE = 2.5
"""The pause before the second try, in units of `retry_wait`; before each one after, three times as long."""
LONGEST_PAUSE = 120.0
MOST_AHEAD = 100


class Halt(WorkspaceError):
    """No other instance would escape it."""


@dataclass(slots=True)
class Means:
    """What the workers of a batch share. `prepare` names a job's repository and settings, `model` signs predictions,
    `begun` is what lies in `runs/` to be gone on with, `tries` how often infrastructure may fail an instance; `check`
    raises WorkspaceError where it would fail all others as well.

    Without `indexing` the runs make what they need themselves, without `images` they pull it.
    """

    place: Place
    store: Store
    purse: Purse
    front: Front
    cancel: Token
    limiter: Limiter
    prepare: Callable[[Job], Job]
    model: str
    check: Callable[[Settings], object] | None = None
    indexing: Indexing | None = None
    images: Images | None = None
    begun: dict[str, Begun] = field(default_factory=dict)
    tries: int = 3
    _prepared: dict[str, Job] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    @property
    def watch(self) -> Watch:
        return Watch(self.cancel, self.limiter, self.front.step, self.front.happening)

    @property
    def priced(self) -> bool:
        """Whether what was begun before has a price."""
        return all(run.spent is not None for run in self.begun.values())

    def ahead(self, job: Job) -> None:
        """Make ready what a job will need. What goes wrong, whatever it is, is told by the worker that takes it."""
        with suppress(Exception):
            if self.images is not None:
                self.images.ahead(job)
            prepared = self.prepare(job)
            with self._lock:
                self._prepared[job.run] = prepared
                while len(self._prepared) > MOST_AHEAD:  # what a worker took before it was ready stays behind
                    self._prepared.pop(next(iter(self._prepared)))
            if self.indexing is not None:
                self.indexing.ahead(prepared.repository, base_of(prepared))

    def ready(self, job: Job) -> Job:
        """The job with its repository and settings, once what it shares with others is there."""
        with self._lock:
            prepared = self._prepared.pop(job.run, None)
        prepared = prepared or self.prepare(job)
        if self.images is not None:
            try:
                prepared = self.images.need(prepared, self.cancel)
            except Missing as error:
                raise _missing(job, prepared, error) from error
        if self.indexing is not None:
            self.indexing.ready(prepared.repository, base_of(prepared), self.cancel)
        return prepared

    def record(self, done: Done) -> None:
        """Raises WorkspaceError where it cannot be written."""
        if self.store.add(done, self.model):
            self.front.done(done)
        if self.images is not None:
            self.images.release(done.run)


def _missing(job: Job, prepared: Job, error: Missing) -> SweAgentError:
    """An image that no registry has is the instance's own trouble where its row or its repository names it."""
    own = prepared.settings.image == job.instance.image or prepared.settings.image != job.settings.image
    return (UsageError if own else ConfigError)(error.message, error.fix)


def base_of(job: Job) -> str:
    return job.instance.base or "HEAD"


def worked(job: Job, means: Means) -> Done:
    """What the job comes to, its lease settled.

    Raises Cancelled, Exhausted where no money is left for it, ConfigError where only the user can mend it, TryLater
    where the provider has refused everybody for long, WorkspaceError where this machine fails as a whole; whatever else
    goes wrong is what it comes to.
    """
    try:
        return _leased(job, means)
    except RunBroken as error:
        kept = set_aside(job.directory)
        means.begun.pop(job.run, None)
        rest = f" What there was of it is kept as {kept}." if kept.exists() else ""
        means.front.say(f"{job.run} is begun anew: {error.message}{rest}")
    except (ConfigError, TryLater) as error:
        if isinstance(error.__cause__, ModelError):  # its own advice is to resume a single run
            raise type(error)(error.message, f"{error.__cause__.fix} Then start the batch again.".strip()) from error
        raise
    return _leased(job, means, last=True)


def lost(job: Job, error: Exception) -> Done:
    """What a job came to in which we made a fault; where it happened is kept beside its record."""
    with suppress(OSError):
        (job.directory / "error.txt").write_text("".join(traceback.format_exception(error)), "utf-8", "replace")
    return given_up(job, SweAgentError(f"A fault of swe-agent's own: {type(error).__name__}: {error}"))


def _leased(job: Job, means: Means, last: bool = False) -> Done:
    """Raises RunBroken, with its whole lease spent, unless this is the `last` time that it is begun."""
    before = means.begun.get(job.run) or Begun()
    lease = means.purse.lease(before.wanted(job.settings.budget or 0.0), means.cancel)
    try:
        done = _tried(job, means, last)
    except BaseException as error:  # raised again
        lease.give_back(lease.amount if isinstance(error, RunBroken) else _spent(job, lease, before))
        raise
    lease.give_back(lease.amount if done.dollars is None else done.dollars - (before.spent or 0.0))
    return done


def _spent(job: Job, lease: Lease, before: Begun) -> float:
    """What this process has spent on a run that it leaves unfinished, by its journal."""
    now = spent_in(job.directory, None)
    return lease.amount if now is None else now - (before.spent or 0.0)


def _tried(job: Job, means: Means, last: bool) -> Done:
    """Solve it; where infrastructure fails go on with the same run, after a pause, a few times."""
    from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential

    def say(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        seconds = state.next_action.sleep if state.next_action else 0
        means.front.say(f"{job.run}: {error} It is tried again in {seconds:.0f} s.")

    means.front.started(job, job.settings.image if job.settings.workspace == "docker" else "")
    retrying = Retrying(
        retry=retry_if_exception(_worth_another),
        stop=stop_after_attempt(means.tries),
        wait=wait_exponential(multiplier=PAUSE * job.settings.retry_wait, exp_base=3, max=LONGEST_PAUSE),
        before_sleep=say,
        sleep=means.cancel.sleep,
        reraise=True,
    )
    try:
        done: Done = retrying(_once, job, means)
    except (UsageError, TryLater, WorkspaceError) as error:
        if isinstance(error, Halt) or _refused_all(error) or (isinstance(error, RunBroken) and not last):
            raise
        if of_machine(error):
            raise Halt(error.message, error.fix) from error
        if means.check is not None and not isinstance(error, UsageError):
            means.check(job.settings)
        done = given_up(job, error)
    return replace(done, tries=retrying.statistics["attempt_number"])


def _worth_another(error: BaseException) -> bool:
    another = isinstance(error, WorkspaceError | TryLater) and not isinstance(error, Halt | RunBroken)
    return another and not _refused_all(error)


def _refused_all(error: BaseException) -> bool:
    """Whether the provider takes no requests from anybody, and all other instances would fail as well."""
    return isinstance(error.__cause__, ModelError) and error.__cause__.limited


def _once(job: Job, means: Means) -> Done:
    try:
        return means.place.solve(_ready(job, means), means.watch)
    except OSError as error:
        what = f"This machine failed: {error.strerror or error}{f' ({error.filename})' if error.filename else ''}."
        failed = WorkspaceError(what, "Mend it, then start the batch again.")
        failed.__cause__ = error
    except WorkspaceError as error:
        failed = error
    means.cancel.check()  # what was taken from a run that is stopped is no trouble of the machine's
    raise failed


def _ready(job: Job, means: Means) -> Job:
    """Raises Halt where it is the batch's own records that are damaged: the run's are yet to be read."""
    try:
        return means.ready(job)
    except RunBroken as error:
        raise Halt(error.message, error.fix) from error
