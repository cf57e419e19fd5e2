"""Outages and configuration mistakes: no job is given up, and a batch that cannot continue stops."""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Event
from typing import Any

import pytest

from agent.limits.cancellation import CancellationToken
from agent.limits.rate_limiter import Limiter
from extensions.lab.batch.batch_budget import BatchBudget
from extensions.lab.batch.batch_driver import Batch
from extensions.lab.batch.batch_spending import UnfinishedRun, dollars_spent, read_unfinished_runs
from extensions.lab.batch.batch_worker import WorkerResources
from extensions.lab.batch.reports.batch_results import ResultStore, load_results
from extensions.lab.batch.reports.fault_tolerant_display import FaultTolerantDisplay
from extensions.lab.instances.image_registry import DiskFull, ImageNotFound
from extensions.lab.instances.jobs import Instance, Job, JobResult
from tests.extensions.lab.batch.test_batch_driver import BatchBench, FakeExecutor, RecordingDisplay, failing, verified
from trajectories.errors import ConfigError, RunBroken, UsageError, WorkspaceError
from trajectories.journal import Journal, lock_run
from trajectories.records import Issue


@pytest.fixture
def bench(tmp_path):
    return BatchBench(tmp_path / "out")


@pytest.mark.parametrize("error", [OSError(24, "Too many open files"), DiskFull("There is no space for the image.")])
def test_exhausted_machine_stops_batch_and_gives_up_no_job(bench, error):
    def handler(job: Job, attempt: int) -> JobResult:
        if job.run == "i1":
            raise error
        return verified(job)

    summary = bench.run(handler, count=4, workers=1, tries=2)
    assert (summary.code, summary.exits, summary.left) == (5, {"verified": 1}, 3)
    assert bench.place.tries == {"i0": 1, "i1": 2}


def test_same_error_several_times_in_row_stops_batch(bench):
    def handler(job: Job, attempt: int) -> JobResult:
        if job.run != "i0":
            raise WorkspaceError(f"The clone of {job.run!r} failed after {job.run[1:]}00 ms.")
        return verified(job)

    summary = bench.run(handler, count=9, workers=1, tries=1)
    assert (summary.code, summary.exits, summary.left) == (5, {"verified": 1, "infrastructure": 3}, 8)
    assert "3 instances in a row failed with the same error: The clone of 'i3' failed" in str(summary.error)
    bench.cancel = CancellationToken()
    assert bench.run(lambda job, _: verified(job), count=9).exits == {"verified": 9}


@pytest.mark.parametrize(("error", "row"), [(UsageError("No such commit."), ""), (WorkspaceError("No image."), "own")])
def test_unusable_rows_and_images_are_no_outage(bench, error, row):
    def job(number: int) -> Job:
        return Job(Instance(f"i{number}", "a/b", "", Issue("It fails"), image=row), 1, bench.out, bench.settings)

    bench.job = job
    summary = bench.run(lambda job, _: failing(error)(bench.job(1), 1), count=9, workers=1, tries=1)
    assert summary.exits == {"infrastructure": 9}


def test_run_locked_by_other_process_is_left_for_later(bench):
    def handler(job: Job, attempt: int) -> JobResult:
        job.directory.mkdir(parents=True, exist_ok=True)
        Journal(job.directory).close()
        return verified(job)

    bench.spent_run("i0", 1000)
    lock = lock_run(bench.out / "runs" / "i0")
    try:
        summary = bench.run(handler, count=2, workers=1, tries=2)
    finally:
        lock.release()
    assert (summary.exits, summary.left, summary.code) == ({"infrastructure": 1, "verified": 1}, 1, 5)
    assert bench.run(handler, count=2).exits == {"verified": 2}


def test_failing_display_loses_no_results(bench):
    @dataclass
    class FailingDisplay(RecordingDisplay):
        def __getattribute__(self, name: str) -> Any:
            raise OSError(5, "Input/output error")

    bench.front = FaultTolerantDisplay(FailingDisplay())
    with bench.front:
        summary = bench.run(lambda job, _: verified(job), count=5)
    assert (summary.code, summary.exits, summary.left) == (0, {"verified": 5}, 0)


def test_failure_of_worker_is_reported(bench):
    class FaultyDisplay(RecordingDisplay):
        def done(self, done: JobResult) -> None:
            raise ZeroDivisionError

    bench.front = FaultyDisplay()
    summary = bench.run(lambda job, _: verified(job), count=5)
    assert (summary.code, summary.left > 0) == (1, True)
    assert "Internal error: ZeroDivisionError" in str(summary.error)


@pytest.mark.parametrize(
    ("row", "of_repository", "kind"),
    [("", "", ConfigError), ("gone", "", UsageError), ("", "gone", UsageError)],
    ids=["flag", "row", "repository"],
)
def test_missing_image_stops_batch_if_flag_names_it(bench, row, of_repository, kind):
    class NoImages:
        def ahead(self, job: Job) -> None:
            pass

        def need(self, job: Job, cancel: Event) -> Job:
            raise ImageNotFound("There is no image gone.", "Build it.")

        def release(self, run: str) -> None:
            pass

    flag = "" if of_repository else "gone"
    job = Job(
        Instance("i", "a/b", "", Issue("x"), image=row), 1, bench.out, bench.settings.model_copy(update={"image": flag})
    )
    prepared = replace(job, settings=bench.settings.model_copy(update={"image": "gone"}))
    with ResultStore(bench.out) as store:
        executor = FakeExecutor(lambda job, _: verified(job))
        resources = WorkerResources(
            *(executor, store, bench.batch_budget, bench.front, bench.cancel, Limiter()),
            *(lambda job: prepared, "m"),
            images=NoImages(),
        )
        with pytest.raises(kind, match="no image gone"):
            resources.ready(job)


def test_damaged_batch_record_is_not_blamed_on_run(bench):
    def prepare(job: Job) -> Job:
        raise RunBroken("manifest.json is damaged.")

    bench.spent_run("i0", 1000)
    with ResultStore(bench.out) as store:
        place = FakeExecutor(lambda job, _: verified(job))
        resources = WorkerResources(
            place, store, bench.batch_budget, bench.front, bench.cancel, Limiter(), prepare, "m"
        )
        summary = Batch(bench.out, [bench.job(0), bench.job(1)], resources, 1).run()
    assert (summary.code, summary.left, str(summary.error)) == (5, 2, "manifest.json is damaged.")
    assert (bench.out / "runs" / "i0").exists(), "the run was moved aside"


def test_unreadable_journal_is_not_charged_as_damaged(bench):
    spent = bench.spent_run("i0", 1000)
    path = bench.out / "runs" / "i0"
    assert dollars_spent(path, 1.0) == spent
    (path / "journal.jsonl").rename(path / "moved")
    (path / "journal.jsonl").mkdir()  # reading it is an OSError
    assert dollars_spent(path, 1.0) is None
    with pytest.raises(WorkspaceError, match=r"i0/journal.jsonl cannot be read"):
        read_unfinished_runs(bench.out / "runs", {})


def test_remaining_money_is_spent_on_jobs_that_fit(bench):
    bench.batch_budget = BatchBudget(1.5, 0.75)
    begun = {"i2": UnfinishedRun(0.5, budget=1.0), "i3": UnfinishedRun(0.25, ended=True)}
    summary = bench.run(lambda job, _: verified(job, 0.5), count=4, workers=1, begun=begun)
    assert {result.run for result in load_results(bench.out)} == {"i2", "i3"}
    assert (summary.code, summary.left) == (4, 2)
