"""The batch driver with executors that fail in every way: no result is lost, and each dollar is counted once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import Any

import pytest

from agent.config.settings import Settings
from agent.limits.cancellation import CancellationToken
from agent.limits.rate_limiter import Limiter
from agent.limits.run_budget import Ledger, Price
from agent.run_state.progress_event import ProgressEvent
from extensions.lab.batch import job_run
from extensions.lab.batch.batch_budget import BatchBudget
from extensions.lab.batch.batch_driver import Batch, BatchSummary
from extensions.lab.batch.batch_spending import read_unfinished_runs
from extensions.lab.batch.batch_worker import WorkerResources
from extensions.lab.batch.reports.batch_results import ResultStore, load_results
from extensions.lab.instances import host_errors
from extensions.lab.instances.host_errors import check_machine
from extensions.lab.instances.jobs import Instance, Job, JobResult, JobWatch
from trajectories.errors import (
    Cancelled,
    ConfigError,
    ModelError,
    Refused,
    RunBroken,
    SweAgentError,
    TryLater,
    UsageError,
    WorkspaceError,
)
from trajectories.journal import Journal
from trajectories.records import Base, Issue, Run, Step, Turn, Usage

PRICE = Price(1.0, 5.0)


@dataclass
class RecordingDisplay:
    """A display that records its messages and events."""

    messages: list[str] = field(default_factory=list)
    events: list[tuple[str, str]] = field(default_factory=list)

    def __enter__(self) -> RecordingDisplay:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def began(self, jobs: Sequence[Job], done: Sequence[JobResult] = ()) -> None:
        self.events.append(("began", str(len(jobs))))

    def started(self, job: Job, image: str) -> None:
        self.events.append(("started", job.run))

    def step(self, job: Job, step: Step, dollars: float | None) -> None:
        pass

    def happening(self, job: Job, event: ProgressEvent) -> None:
        pass

    def done(self, done: JobResult) -> None:
        self.events.append(("done", done.run))

    def say(self, text: str) -> None:
        self.messages.append(text)


@dataclass
class FakeExecutor:
    """An executor that calls a handler with the job and the number of the attempt."""

    handler: Callable[[Job, int], JobResult]
    tries: dict[str, int] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def solve(self, job: Job, watch: JobWatch) -> JobResult:
        with self.lock:
            self.tries[job.run] = self.tries.get(job.run, 0) + 1
        return self.handler(job, self.tries[job.run])

    def close(self) -> None:
        pass


def verified(job: Job, dollars: float | None = 0.25) -> JobResult:
    return JobResult(job.instance.id, job.repeat, job.run, 0, "verified", "verified", f"patch of {job.run}", dollars)


@dataclass
class BatchBench:
    out: Path
    front: RecordingDisplay = field(default_factory=RecordingDisplay)
    cancel: CancellationToken = field(default_factory=CancellationToken)
    batch_budget: BatchBudget = field(default_factory=lambda: BatchBudget(None))

    @property
    def settings(self) -> Settings:
        return Settings(state=self.out, budget=1.0, retry_wait=0, workspace="local")

    def job(self, number: int) -> Job:
        return Job(Instance(f"i{number}", "a/b", "", Issue("It fails")), 1, self.out, self.settings)

    def run(
        self, handler: Callable[[Job, int], JobResult], count: int = 3, workers: int = 2, **more: Any
    ) -> BatchSummary:
        self.place = FakeExecutor(handler)
        with ResultStore(self.out) as store:
            jobs = [job for number in range(count) if (job := self.job(number)).run not in store.done]
            resources = WorkerResources(
                place=self.place,
                store=store,
                batch_budget=self.batch_budget,
                front=self.front,
                cancel=self.cancel,
                limiter=Limiter(),
                prepare=lambda job: job,
                model="m",
                **more,
            )
            return Batch(self.out, jobs, resources, workers).run()

    def spent_run(self, run: str, tokens: int) -> float:
        """Create the folder of an unfinished run with one settled request, and return its cost."""
        journal = Journal(self.out / "runs" / run)
        settings = {"budget": 1.0}
        journal.append(Run(run, Issue("It fails"), "/nowhere", Base("c", "t"), settings), Turn("fix", "react", {}))
        ledger = Ledger(1.0)
        hold, _ = ledger.hold("main", 1, 1, "m", PRICE, tokens, 100)
        settle = ledger.price_of(hold, Usage(tokens, 10), PRICE)
        journal.append(hold, settle)
        journal.close()
        return settle.dollars or 0.0


@pytest.fixture
def bench(tmp_path: Path) -> BatchBench:
    return BatchBench(tmp_path / "out")


def test_all_jobs_are_recorded_as_they_end(bench):
    summary = bench.run(lambda job, _: verified(job), count=5)
    assert (summary.code, summary.done, summary.left, summary.verified) == (0, 5, 0, 5)
    assert (summary.exits, summary.dollars) == ({"verified": 5}, 1.25)
    assert bench.front.events[0] == ("began", "5")
    assert sorted(run for kind, run in bench.front.events if kind == "done") == [f"i{n}" for n in range(5)]
    assert {done.run: done.patch for done in load_results(bench.out)} == {f"i{n}": f"patch of i{n}" for n in range(5)}


def test_infrastructure_failure_is_retried_then_given_up(bench):
    def handler(job: Job, attempt: int) -> JobResult:
        if job.run == "i0" or (job.run == "i1" and attempt < 3):
            raise WorkspaceError("The daemon is gone.")
        return verified(job)

    summary = bench.run(handler, tries=3)
    done = {result.run: result for result in load_results(bench.out)}
    assert (summary.code, summary.exits) == (5, {"verified": 2, "infrastructure": 1})
    assert (summary.instances, summary.done, summary.left) == (3, 2, 1)
    assert {run: result.tries for run, result in done.items()} == {"i0": 3, "i1": 3, "i2": 1}
    assert (done["i0"].code, done["i0"].kind, done["i0"].error) == (5, "infrastructure", "The daemon is gone.")
    assert summary.dollars == 0.5, "the unspent part of a lease is returned"
    assert "i0: The daemon is gone. Next try in 0 s." in bench.front.messages
    again = bench.run(lambda job, _: verified(job))
    assert (again.code, again.exits, again.left) == (0, {"verified": 3}, 0), "a later batch tries it again"
    assert bench.place.tries == {"i0": 1}
    assert len(load_results(bench.out)) == 3


@pytest.mark.parametrize("error", [UsageError("No such commit."), OSError(5, "Input/output error", "/x")])
def test_error_of_one_instance_does_not_stop_others(bench, error):
    def handler(job: Job, attempt: int) -> JobResult:
        if job.run == "i0":
            raise error
        return verified(job)

    summary = bench.run(handler, workers=1, tries=2)
    assert summary.exits == {"verified": 2, "infrastructure": 1}
    is_usage_error = isinstance(error, UsageError)
    assert (summary.code, summary.left) == ((0, 0) if is_usage_error else (5, 1)), "an unusable row is final"
    assert bench.place.tries["i0"] == (1 if is_usage_error else 2)


def test_internal_error_ends_one_job_and_is_saved(bench):
    def handler(job: Job, attempt: int) -> JobResult:
        if job.run == "i0":
            job.directory.mkdir(parents=True)
            return verified(job, {}["dollars"])
        return verified(job)

    summary = bench.run(handler)
    assert (summary.exits, summary.left) == ({"verified": 2, "infrastructure": 1}, 1)
    assert bench.place.tries["i0"] == 1
    assert 'verified(job, {}["dollars"])' in (bench.out / "runs" / "i0" / "error.txt").read_text()


def test_internal_error_while_reading_record_loses_no_money(bench, monkeypatch):
    def handler(job: Job, attempt: int) -> JobResult:
        bench.spent_run(job.run, 2000)
        raise ZeroDivisionError

    monkeypatch.setattr(job_run, "is_started", lambda directory: 1 / 0)
    summary = bench.run(handler, count=2)
    assert (summary.code, summary.exits, summary.left) == (5, {"infrastructure": 2}, 2)
    assert {result.dollars for result in load_results(bench.out)} == {0.00205}
    assert summary.dollars == 0.0041


def failing(error: SweAgentError, cause: BaseException | None = None) -> Callable[[Job, int], JobResult]:
    def handler(job: Job, attempt: int) -> JobResult:
        if job.run == "i1":
            raise error from cause
        return verified(job)

    return handler


def test_configuration_error_stops_batch_and_leaves_rest(bench):
    refused = Refused("No such model.", "Name another.")
    error = ConfigError("No such model.", "Name another. Then go on with `swe-agent resume i1`.")
    summary = bench.run(failing(error, refused), count=4, workers=1)
    assert (summary.code, summary.done, summary.left) == (3, 1, 3)
    assert summary.error is not None
    assert summary.error.fix == "Name another. Then start the batch again."
    bench.cancel = CancellationToken()
    assert bench.run(lambda job, _: verified(job), count=4).exits == {"verified": 4}


def test_unavailable_provider_stops_batch_at_first_try(bench):
    limited = ModelError("It has refused all requests for 600 s.", "Try again later.", retryable=True, limited=True)
    summary = bench.run(failing(TryLater(limited.message), limited), count=4, workers=1)
    assert (summary.code, summary.done, summary.left) == (75, 1, 3)
    assert bench.place.tries["i1"] == 1


def test_machine_failure_stops_batch_without_giving_up_instances(bench):
    def handler(job: Job, attempt: int) -> JobResult:
        if job.run == "i1":
            raise WorkspaceError("A container cannot be started.")
        return verified(job)

    def check(settings: Settings) -> None:
        raise WorkspaceError("Docker is not running: its daemon does not answer.")

    summary = bench.run(handler, count=4, workers=1, tries=2, check=check)
    assert (summary.code, summary.done, summary.left, bench.place.tries["i1"]) == (5, 1, 3, 2)
    assert "daemon does not answer" in str(summary.error)


def test_full_disk_is_machine_failure(bench, monkeypatch):
    bench.out.mkdir()
    check_machine(bench.settings)
    monkeypatch.setattr(host_errors, "LEAST_ROOM", 1 << 60)
    with pytest.raises(WorkspaceError, match=f"The disk of {bench.out} is full"):
        check_machine(bench.settings)


def test_interrupt_leaves_unfinished_jobs(bench):
    def handler(job: Job, attempt: int) -> JobResult:
        if job.run == "i1":
            bench.cancel.set()
            raise WorkspaceError("The container is gone.")
        return verified(job)

    summary = bench.run(handler, workers=1)
    assert (summary.code, summary.done, summary.left) == (130, 1, 2)
    assert isinstance(summary.error, Cancelled)


def test_interrupt_ends_pause_before_retry(bench):
    def handler(job: Job, attempt: int) -> JobResult:
        raise WorkspaceError("The daemon is gone.")

    bench.front.say = lambda text: bench.cancel.set()
    slow = Settings(state=bench.out, retry_wait=1000, workspace="local")
    bench.job = lambda number: Job(Instance(f"i{number}", "a/b", "", Issue("It")), 1, bench.out, slow)
    assert bench.run(handler, count=1).code == 130


def test_total_is_never_exceeded_and_leased_jobs_finish(bench):
    bench.batch_budget = BatchBudget(2.0)
    running, most, lock = [0], [0], Lock()

    def handler(job: Job, attempt: int) -> JobResult:
        with lock:
            running[0] += 1
            most[0] = max(running)
        time.sleep(0.01)
        with lock:
            running[0] -= 1
        return verified(job, 0.5)

    summary = bench.run(handler, count=9, workers=4)
    assert (summary.code, summary.done, summary.left, summary.dollars) == (4, 3, 6, 1.5)
    assert most[0] <= 2, "each job holds its whole budget while it runs"


def test_earlier_spending_of_run_is_counted_once(bench):
    before = bench.spent_run("i0", 1000)
    unfinished = read_unfinished_runs(bench.out / "runs", {})
    assert unfinished.begun["i0"].spent == before == 0.00105
    bench.batch_budget = BatchBudget(1.0, before)
    summary = bench.run(lambda job, _: verified(job, 0.5), count=1, begun=unfinished.begun)
    assert (summary.code, summary.dollars) == (0, 0.5), "the lease is the rest of the run's own budget"


def test_unfinished_run_is_charged_by_its_journal(bench):
    def handler(job: Job, attempt: int) -> JobResult:
        bench.spent_run(job.run, 2000)
        raise Cancelled("Interrupted.")

    summary = bench.run(handler, count=1)
    assert summary.dollars == 0.00205


def test_run_without_price_makes_total_unknown(bench):
    assert bench.run(lambda job, _: verified(job, None if job.run == "i1" else 0.5)).dollars is None


def test_broken_run_is_restarted_once_and_charged_in_full(bench):
    def handler(job: Job, attempt: int) -> JobResult:
        job.directory.mkdir(parents=True, exist_ok=True)
        if job.run == "i0" or (job.run == "i1" and attempt == 1):
            raise RunBroken("An object is gone.")
        return verified(job)

    summary = bench.run(handler)
    done = {result.run: result for result in load_results(bench.out)}
    assert {run: result.kind for run, result in done.items()} == {
        "i0": "infrastructure",
        "i1": "verified",
        "i2": "verified",
    }
    folders = sorted(folder.name for folder in (bench.out / "runs").iterdir())
    assert folders == ["i0", "i1", "i2"]
    assert sorted(folder.name for folder in (bench.out / "broken").iterdir()) == ["i0.1", "i1.1"]
    assert summary.dollars == 1.0 + 1.0 + 0.25 + 0.25, "a broken run is charged its whole lease"
    assert read_unfinished_runs(bench.out / "runs", done).broken == 2


def test_damaged_journal_is_moved_aside_when_batch_is_opened(bench):
    bench.spent_run("i0", 1000)
    journal = bench.out / "runs" / "i0" / "journal.jsonl"
    journal.write_bytes(b"no record\n" + journal.read_bytes())
    bench.spent_run("i.broken-1", 1000)
    unfinished = read_unfinished_runs(bench.out / "runs", {})
    assert (list(unfinished.begun), unfinished.broken) == (["i.broken-1"], 1), "an id may be any text"
    assert read_unfinished_runs(bench.out / "runs", {}).broken == 1, "the run was moved again"


def test_next_job_is_prepared_while_one_runs(bench):
    ready: list[str] = []
    prepared = Event()

    def prepare(job: Job) -> Job:
        ready.append(job.run)
        if job.run == "i1":
            prepared.set()
        return job

    def handler(job: Job, attempt: int) -> JobResult:
        if job.run == "i0":
            assert prepared.wait(20), "the next job was not prepared while this one was solved"
        return verified(job)

    with ResultStore(bench.out) as store:
        jobs = [bench.job(0), bench.job(1)]
        resources = WorkerResources(
            FakeExecutor(handler), store, bench.batch_budget, bench.front, bench.cancel, Limiter(), prepare, "m"
        )
        summary = Batch(bench.out, jobs, resources, 1).run()
    assert summary.exits == {"verified": 2}
    assert ready.count("i1") == 1
