"""The queue that grades every prediction once, with several workers; verdicts on disk are reused."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from threading import Event
from typing import TypeVar

from aci.testing.suite_command import NoTestRunner
from extensions.lab.evaluation.flakiness import flaky_tests, grade_with_repeats, verdict_without_flaky
from extensions.lab.evaluation.gold_check import Case, GoldCheck, GoldCheckFailed, Grade
from extensions.lab.evaluation.grading_store import GradingStore
from extensions.lab.evaluation.patch_grade import GradingResult
from extensions.lab.evaluation.predictions import Prediction, Predictions
from extensions.lab.instances.dataset_instances import Gold
from extensions.lab.instances.jobs import Instance
from trajectories.errors import Cancelled, Stop, SweAgentError, WorkspaceError

T = TypeVar("T")
R = TypeVar("R")
RESUME_ADVICE = "Start it again with the same --out to continue."


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of an evaluation: `sets` holds predictions by run id; with `check`, gold patches are graded first.

    `setup` describes what verdicts depend on besides patches and instances; verdicts with a different `setup` are not
    reused.
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
    """A prediction to grade under the run id `run`."""

    run: str
    case: Case
    prediction: Prediction


@dataclass(frozen=True, slots=True)
class Outcome:
    """Verdicts by run id and instance, for predictions with a non-empty patch whose instance is not quarantined.

    `quarantined` maps instances to reasons.
    """

    verdicts: Mapping[str, Mapping[str, GradingResult]]
    quarantined: Mapping[str, str]


class GradingQueue:
    """Grades the predictions of a plan. `say` is called with a line for each instance, from any thread; setting
    `cancel` stops the work gracefully.

    `check` is called if no workspace can be opened for an instance, and raises WorkspaceError if the cause affects all
    instances.
    """

    def __init__(
        self,
        plan: Plan,
        grade: Grade,
        cancel: Event,
        say: Callable[[str], object],
        check: Callable[[], object] = lambda: None,
    ) -> None:
        self._plan = plan
        self._cancel = cancel
        self._say = say
        self._check = check
        self._broken: list[WorkspaceError] = []
        self._worked = 0
        self._unguarded_grade = grade
        self._gold = GoldCheck(self._grade, plan.out, plan.setup, plan.repeats)

    def run(self) -> Outcome:
        """Grade everything that is not graded yet.

        Raises Cancelled when stopped, and WorkspaceError if no workspace at all could be opened or the machine fails.
        """
        plan = self._plan
        checked = self._map(self._check_gold, list(plan.cases.values())) if plan.check else []
        quarantined = {name: why for name, why in checked if why}
        jobs = [
            Job(run, plan.cases[name], prediction)
            for run, predictions in plan.sets.items()
            for name, prediction in predictions.items()
            if name in plan.cases and name not in quarantined and not prediction.empty
        ]
        found = [self._store(job).find(job.prediction.model, job.case.gold.id, self._key(job)) for job in jobs]
        left = [job for job, graded in zip(jobs, found, strict=True) if graded is None]
        if len(left) < len(jobs):
            self._say(f"{len(jobs) - len(left)} of {len(jobs)} predictions are already graded.")
        done = [*zip(jobs, found, strict=True), *zip(left, self._map(self._grade_job, left), strict=True)]
        if self._broken and not self._worked and len(left) == len(jobs):
            raise self._broken[0]
        verdicts: dict[str, dict[str, GradingResult]] = {run: {} for run in plan.sets}
        for job, graded in done:
            if graded:
                verdicts[job.run][graded.instance] = graded
        return Outcome(verdicts, quarantined)

    def _map(self, work: Callable[[T], R], on: Sequence[T]) -> list[R]:
        """Return the results of `work` on each item, in order. The first error stops the remaining work."""
        self._at, self._of = count(1), len(on)
        pool = ThreadPoolExecutor(self._plan.workers, thread_name_prefix="evaluate")
        futures = [pool.submit(work, each) for each in on]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            if any(future.done() and future.exception() for future in futures):
                self._cancel.set()
            pool.shutdown(cancel_futures=True)
        except KeyboardInterrupt:  # after the second interrupt, do not wait for the workers
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        _raise(futures)
        return [future.result() for future in futures]

    def _check_gold(self, case: Case) -> tuple[str, str]:
        try:
            why = self._gold.reason(case)
        except GoldCheckFailed as error:
            self._progress(case, f"its own patch could not be checked: {error.message}")
            return case.gold.id, ""
        self._progress(case, f"quarantined: {why}" if why else "its own patch resolves it")
        return case.gold.id, why

    def _grade_job(self, job: Job) -> GradingResult:
        found = self._gold.own(job.case, job.prediction.patch) or self._grade_repeatedly(job.case, job.prediction.patch)
        graded = self._store(job).put(job.prediction.model, found, self._key(job), job.prediction.patch)
        self._progress(job.case, describe(graded), job.run)
        return graded

    def _grade_repeatedly(self, case: Case, patch: str) -> GradingResult:
        tries = grade_with_repeats(lambda: self._grade(case.gold, case.instance, patch), self._plan.repeats)
        changed = flaky_tests(tries)
        try:
            return verdict_without_flaky(tries, changed & self._gold.flips(case) if changed else changed)
        except GoldCheckFailed as error:
            return replace(verdict_without_flaky(tries), resolved=False, error=error.message, infrastructure=True)

    def _store(self, job: Job) -> GradingStore:
        return GradingStore(self._plan.out, job.run)

    def _key(self, job: Job) -> str:
        return job.case.key(self._plan.setup, job.prediction.patch, self._plan.repeats)

    def _progress(self, case: Case, what: str, run: str = "") -> None:
        of = f" ({run})" if run and len(self._plan.sets) > 1 else ""
        self._say(f"[{next(self._at)}/{self._of}] {case.gold.id}{of}: {what}")

    def _grade(self, gold: Gold, instance: Instance, patch: str) -> GradingResult:
        """Grade a patch. The failure of a single instance becomes its result; an error that affects all instances is
        raised."""
        if self._cancel.is_set():
            raise Cancelled("Interrupted.", RESUME_ADVICE)
        try:
            graded = self._unguarded_grade(gold, instance, patch)
            self._worked += 1
        except Stop as stop:
            raise Cancelled("Interrupted.", RESUME_ADVICE) from stop
        except SweAgentError as error:
            broken = isinstance(error, WorkspaceError | NoTestRunner)
            if isinstance(error, WorkspaceError):
                self._broken.append(error)
                self._check_machine()
            said = f"{error.message} {error.fix}".strip()
            return GradingResult(gold.id, resolved=False, applied=False, error=said, infrastructure=broken)
        except Exception as error:  # noqa: BLE001 - one instance's failure does not affect the others
            said = f"Internal error: {type(error).__name__}: {error}"
            log = traceback.format_exc()
            return GradingResult(gold.id, resolved=False, applied=False, error=said, infrastructure=True, log=log)
        return graded

    def _check_machine(self) -> None:
        try:
            self._check()
        except WorkspaceError:
            self._cancel.set()  # so that the other workers start no more work
            raise


def _raise(futures: Sequence[Future[R]]) -> None:
    """Raise the first error of the workers, if any; a real error takes precedence over the interrupts that it
    caused."""
    errors = [error for future in futures if not future.cancelled() and (error := future.exception())]
    for error in sorted(errors, key=lambda each: isinstance(each, Cancelled)):
        raise error
    if any(future.cancelled() for future in futures):
        raise Cancelled("Interrupted.", RESUME_ADVICE)


def describe(graded: GradingResult) -> str:
    """Return a short description of a verdict."""
    if graded.error:
        return f"no verdict: {graded.error}"
    if not graded.applied:
        return "unresolved: the patch does not apply"
    flaky = f"; flaky: {', '.join(graded.flaky)}" if graded.flaky else ""
    if graded.resolved:
        return f"resolved{flaky}"
    failed = len(graded.f2p_failed), len(graded.p2p_failed)
    return f"unresolved: {failed[0]} of its tests fail, and {failed[1]} tests that passed before fail{flaky}"
