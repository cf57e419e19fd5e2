"""Every prediction graded once, by several workers; what is graded is on disk and is not graded again."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from threading import Event
from typing import TypeVar

from agent.batch.instances import Gold
from agent.batch.place import Instance
from agent.evaluation.graded import Graded
from agent.evaluation.predictions import Prediction, Predictions
from agent.evaluation.quarantine import Case, GoldCheck, Grade, Unchecked
from agent.evaluation.repeats import changing, judged, tried
from agent.evaluation.shelf import Shelf
from trajectories.errors import Cancelled, Stop, SweAgentError, WorkspaceError

T = TypeVar("T")
R = TypeVar("R")
GO_ON = "Start it again with the same --out to go on."


@dataclass(frozen=True, slots=True)
class Plan:
    """What is graded: `sets` holds predictions by run id, `check` whether gold is graded first.

    `setup` names what verdicts depend on beside patches and instances; a verdict of another set-up is not used.
    """

    out: Path
    cases: Mapping[str, Case]
    sets: Mapping[str, Predictions]
    setup: str
    check: bool = False
    repeats: int = 3
    workers: int = 1


@dataclass(frozen=True, slots=True)
class Job:
    """A prediction of the run id `run`."""

    run: str
    case: Case
    prediction: Prediction


@dataclass(frozen=True, slots=True)
class Outcome:
    """`verdicts` by run id and instance, of all that has a patch and is not quarantined; quarantined: why."""

    verdicts: Mapping[str, Mapping[str, Graded]]
    quarantined: Mapping[str, str]


class Grading:
    """Carries out a plan. `told` gets a line for each instance, from any thread; `cancel` stops it in order.

    `check` is asked when an instance has no workspace, and raises WorkspaceError where no other one would have.
    """

    def __init__(
        self,
        plan: Plan,
        grade: Grade,
        cancel: Event,
        told: Callable[[str], object],
        check: Callable[[], object] = lambda: None,
    ) -> None:
        self._plan = plan
        self._cancel = cancel
        self._told = told
        self._check = check
        self._broken: list[WorkspaceError] = []
        self._worked = 0
        self._unsafely = grade
        self._gold = GoldCheck(self._grade, plan.out, plan.setup, plan.repeats)

    def run(self) -> Outcome:
        """Grade all that is left to grade.

        Raises Cancelled when stopped, and WorkspaceError where not one workspace could be had, or the machine fails.
        """
        plan = self._plan
        checked = self._each(self._checked, list(plan.cases.values())) if plan.check else []
        quarantined = {name: why for name, why in checked if why}
        jobs = [
            Job(run, plan.cases[name], prediction)
            for run, predictions in plan.sets.items()
            for name, prediction in predictions.items()
            if name in plan.cases and name not in quarantined and not prediction.empty
        ]
        found = [self._shelf(job).find(job.prediction.model, job.case.gold.id, self._key(job)) for job in jobs]
        left = [job for job, graded in zip(jobs, found, strict=True) if graded is None]
        if len(left) < len(jobs):
            self._told(f"{len(jobs) - len(left)} of {len(jobs)} predictions are graded already.")
        done = [*zip(jobs, found, strict=True), *zip(left, self._each(self._graded, left), strict=True)]
        if self._broken and not self._worked and len(left) == len(jobs):
            raise self._broken[0]
        verdicts: dict[str, dict[str, Graded]] = {run: {} for run in plan.sets}
        for job, graded in done:
            if graded:
                verdicts[job.run][graded.instance] = graded
        return Outcome(verdicts, quarantined)

    def _each(self, work: Callable[[T], R], on: Sequence[T]) -> list[R]:
        """What `work` comes to on each, in order. The first that raises stops the others."""
        self._at, self._of = count(1), len(on)
        pool = ThreadPoolExecutor(self._plan.workers, thread_name_prefix="evaluate")
        futures = [pool.submit(work, each) for each in on]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            if any(future.done() and future.exception() for future in futures):
                self._cancel.set()
            pool.shutdown(cancel_futures=True)
        except KeyboardInterrupt:  # a second one: nobody is waited for
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        _raise(futures)
        return [future.result() for future in futures]

    def _checked(self, case: Case) -> tuple[str, str]:
        try:
            why = self._gold.reason(case)
        except Unchecked as error:
            self._progress(case, f"its own patch is not checked: {error.message}")
            return case.gold.id, ""
        self._progress(case, f"quarantined: {why}" if why else "its own patch resolves it")
        return case.gold.id, why

    def _graded(self, job: Job) -> Graded:
        found = self._gold.own(job.case, job.prediction.patch) or self._tried(job.case, job.prediction.patch)
        graded = self._shelf(job).put(job.prediction.model, found, self._key(job), job.prediction.patch)
        self._progress(job.case, describe(graded), job.run)
        return graded

    def _tried(self, case: Case, patch: str) -> Graded:
        tries = tried(lambda: self._grade(case.gold, case.instance, patch), self._plan.repeats)
        changed = changing(tries)
        try:
            return judged(tries, changed & self._gold.flips(case) if changed else changed)
        except Unchecked as error:
            return replace(judged(tries), resolved=False, error=error.message, infrastructure=True)

    def _shelf(self, job: Job) -> Shelf:
        return Shelf(self._plan.out, job.run)

    def _key(self, job: Job) -> str:
        return job.case.key(self._plan.setup, job.prediction.patch, self._plan.repeats)

    def _progress(self, case: Case, what: str, run: str = "") -> None:
        of = f" ({run})" if run and len(self._plan.sets) > 1 else ""
        self._told(f"[{next(self._at)}/{self._of}] {case.gold.id}{of}: {what}")

    def _grade(self, gold: Gold, instance: Instance, patch: str) -> Graded:
        """What fails around one instance is that instance's; what stops all is raised."""
        if self._cancel.is_set():
            raise Cancelled("Interrupted.", GO_ON)
        try:
            graded = self._unsafely(gold, instance, patch)
            self._worked += 1
        except Stop as stop:
            raise Cancelled("Interrupted.", GO_ON) from stop
        except SweAgentError as error:
            broken = isinstance(error, WorkspaceError)
            if isinstance(error, WorkspaceError):
                self._broken.append(error)
                self._checked_machine()
            said = f"{error.message} {error.fix}".strip()
            return Graded(gold.id, resolved=False, applied=False, error=said, infrastructure=broken)
        except Exception as error:  # noqa: BLE001 - one instance's trouble leaves the others
            said = f"A fault of swe-agent's own: {type(error).__name__}: {error}"
            log = traceback.format_exc()
            return Graded(gold.id, resolved=False, applied=False, error=said, infrastructure=True, log=log)
        return graded

    def _checked_machine(self) -> None:
        try:
            self._check()
        except WorkspaceError:
            self._cancel.set()  # the other workers begin nothing more
            raise


def _raise(futures: Sequence[Future[R]]) -> None:
    """What went wrong in the threads: a mistake before an interrupt, which is only its consequence."""
    errors = [error for future in futures if not future.cancelled() and (error := future.exception())]
    for error in sorted(errors, key=lambda each: isinstance(each, Cancelled)):
        raise error
    if any(future.cancelled() for future in futures):
        raise Cancelled("Interrupted.", GO_ON)


def describe(graded: Graded) -> str:
    """A verdict in a few words."""
    if graded.error:
        return f"no verdict: {graded.error}"
    if not graded.applied:
        return "unresolved: the patch does not apply"
    flaky = f"; flaky: {', '.join(graded.flaky)}" if graded.flaky else ""
    if graded.resolved:
        return f"resolved{flaky}"
    failed = len(graded.f2p_failed), len(graded.p2p_failed)
    return f"unresolved: {failed[0]} of its tests fail, and {failed[1]} that passed before{flaky}"
