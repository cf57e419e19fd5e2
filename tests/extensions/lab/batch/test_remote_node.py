"""Runs on nodes that fail, arrive late or are stopped: only the driver determines the result of a run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from threading import Event, Thread
from typing import Any

import pytest

from agent.config.model_table import ModelTable
from agent.config.settings import Settings, load_settings
from agent.limits.cancellation import CancellationToken
from agent.limits.rate_limiter import Limiter
from agent.models import provider
from agent.run_state.run_ownership import digest_path
from extensions.lab.batch import run_stream
from extensions.lab.batch.job_run import begin_job, solve_job
from extensions.lab.batch.node_messages import RemoteJob, RemoteOutcome
from extensions.lab.batch.remote_hub import Hub, Refusal
from extensions.lab.batch.remote_node import solve_remote_job
from extensions.lab.batch.repository_bundles import hash_refs
from extensions.lab.instances.jobs import Instance, Job, JobWatch
from tests.conftest import MakeRepo, git
from tests.endpoint import Answer, Endpoint, Request
from trajectories.errors import Cancelled, ConfigError, ModelError, TryLater, UsageError, WorkspaceError
from trajectories.git_store.trees import Trees
from trajectories.journal import read
from trajectories.records import Exit, Issue

TEST = (
    "import unittest\n\nfrom calc import add\n\n\nclass Test(unittest.TestCase):\n"
    "    def test_add(self):\n        self.assertEqual(add(2, 3), 5)\n"
)
SCRIPT = [
    [("edit", {"path": "test_add.py", "old": "", "new": TEST}), ("run_tests", {})],
    [("edit", {"path": "calc.py", "old": "a - b", "new": "a + b"}), ("run_tests", {})],
    [("submit", {"summary": "add() adds."})],
]
MODEL = "openai/x"


@pytest.fixture(scope="module", autouse=True)
def litellm() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        provider.library()


class Driver:
    """A job, its hub, and an endpoint that counts requests whose hold has not reached the driver."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.hub = Hub(0.0, 0.0)
        self.endpoint = Endpoint(self._answer)
        table = ModelTable(api_base=self.endpoint.openai, price_in=1.0, price_out=5.0, max_output=500)
        settings = Settings(
            model=MODEL, models={MODEL: table}, workspace="local", state=folder / "driver", retry_wait=0,
            strategy="react", test="python3 -m unittest discover",
        )  # fmt: skip
        self.job = Job(Instance("one", "r", "HEAD", Issue("add() subtracts")), 1, repository, settings)
        self.counts, self.unheld = True, 0

    def _answer(self, request: Request) -> Answer:
        directory = self.job.directory
        holds = read(directory).holds if directory.exists() else {}
        self.unheld += self.counts and len(holds) < len(self.endpoint.asked)
        return Answer("On.", actions=SCRIPT[request.turns])

    def open_attempt(self) -> RemoteJob:
        """Start a new attempt and open it at the hub."""
        begin_job(self.job)
        base = read(self.job.directory).run.base.commit
        directory, repository = self.job.directory, self.job.repository
        attempt = RemoteJob(token_hex(8), "one", 1, directory, repository, hash_refs(repository), base)
        self.hub.open(attempt.token, attempt.directory, {}, digest_path(directory, load_settings().state))
        return attempt

    def request_counts(self) -> tuple[int, int, int]:
        """Count the holds, settlements and replies in the driver's journal."""
        record = read(self.job.directory)
        return len(record.holds), len(record.settles), len(record.replies)


@pytest.fixture
def driver(tmp_path: Path, make_repo: MakeRepo) -> Iterator[Driver]:
    passing = TEST.replace("add(2, 3), 5", "add(2, 0), 2")
    source = "def add(a, b):\n    return a - b\n"
    repository = make_repo({"calc.py": source, "test_zero.py": passing, ".gitignore": "__pycache__/\n"})
    created = Driver(tmp_path, repository)
    yield created
    created.endpoint.close()
    assert created.unheld == 0


class UnreliableHub:
    """The hub, until `fails(name)` reports that the connection is lost for good."""

    def __init__(self, hub: Hub, fails: Callable[[str], bool]) -> None:
        self._hub, self._fails, self._gone = hub, fails, False

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            self._gone = self._gone or self._fails(name)
            if self._gone:
                raise WorkspaceError("The driver cannot be reached.")
            return getattr(self._hub, name)(*arguments)

        return call


def count_exits(directory: Path) -> int:
    return sum(isinstance(record, Exit) for record in read(directory).records)


@pytest.mark.slow
def test_remote_run_equals_local_run(driver: Driver, tmp_path: Path) -> None:
    attempt = driver.open_attempt()
    remote = solve_remote_job(attempt, driver.hub).result()
    driver.hub.close(attempt.token)
    driver.counts = False
    local = replace(driver.job, settings=driver.job.settings.model_copy(update={"state": tmp_path / "local"}))
    local_result = solve_job(local, JobWatch(CancellationToken(), Limiter()))
    ignored = {"at": 0.0, "seconds": 0.0}
    assert replace(remote, **ignored) == replace(local_result, **ignored)
    assert (remote.kind, remote.calls, count_exits(driver.job.directory)) == ("plausible", 3, 1)
    assert driver.job.settings.experience
    assert not [*tmp_path.rglob("experience")], "results of instances must not depend on each other"
    for name in ("patch.diff", "proof.sh"):
        text = (driver.job.directory / name).read_text()
        assert text == (local.directory / name).read_text().replace(str(local.directory), str(driver.job.directory))
    with Trees(driver.job.directory / "trees.git") as trees:
        assert b"a + b" in trees.read(read(driver.job.directory).exit.tree, "calc.py")


@pytest.mark.slow
def test_node_without_repository_receives_copy(driver: Driver, tmp_path: Path) -> None:
    attempt = replace(driver.open_attempt(), repository=tmp_path / "not here" / "calc")
    driver.hub.bundle = lambda root, commit: Hub.bundle(driver.hub, driver.job.repository, commit)  # type: ignore[method-assign]
    assert solve_remote_job(attempt, driver.hub).result().kind == "plausible"


@pytest.mark.slow
@pytest.mark.parametrize("moment", [2, 4, 7])
def test_run_of_lost_node_resumes_from_received_records(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    monkeypatch.setattr(run_stream, "PAUSE", 3600.0)  # push only before requests and at the end
    calls = iter(range(1000))
    unreliable_hub = UnreliableHub(driver.hub, lambda name: name in ("push", "turn", "leave") and next(calls) >= moment)
    lost = solve_remote_job(driver.open_attempt(), unreliable_hub)
    assert (lost.done, lost.error) == (None, "WorkspaceError")
    before, requests_before = driver.request_counts(), len(driver.endpoint.asked)
    assert before[0] >= requests_before
    assert count_exits(driver.job.directory) == 0
    done = solve_remote_job(driver.open_attempt(), driver.hub).result()
    holds_count, _, replies = driver.request_counts()
    assert (done.kind, replies, count_exits(driver.job.directory)) == ("plausible", 3, 1)
    assert len(driver.endpoint.asked) - requests_before == 3 - before[2]
    assert holds_count == len(driver.endpoint.asked) + (before[0] - requests_before)
    assert done.calls == holds_count
    assert done.dollars == pytest.approx(_dollars(driver))


def _dollars(driver: Driver) -> float:
    record = read(driver.job.directory)
    return sum(
        record.settles[name].dollars if name in record.settles else hold.dollars for name, hold in record.holds.items()
    )


class CutOff:
    """The hub, unreachable from the second model request until `back` is set."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.gone, self.back = Event(), Event()

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            if len(self._driver.endpoint.asked) >= 2:  # its hold has been sent, its reply has not been received
                self.gone.set()
                assert self.back.wait(60)
            return getattr(self._driver.hub, name)(*arguments)

        return call


@pytest.mark.slow
def test_late_node_is_refused(driver: Driver) -> None:
    first, outcomes, link = driver.open_attempt(), [], CutOff(driver)
    slow = Thread(target=lambda: outcomes.append(solve_remote_job(first, link)))
    slow.start()
    assert link.gone.wait(60)
    done = solve_remote_job(driver.open_attempt(), driver.hub).result()
    record = (driver.job.directory / "journal.jsonl").read_bytes()
    link.back.set()
    slow.join(60)
    assert (outcomes[0].done, outcomes[0].error) == (None, "Cancelled")
    assert (driver.job.directory / "journal.jsonl").read_bytes() == record
    assert (done.kind, count_exits(driver.job.directory)) == ("plausible", 1)
    assert len(driver.endpoint.asked) == len(read(driver.job.directory).holds) == 4  # the second request is repeated


@pytest.mark.slow
def test_closed_attempt_starts_no_run(driver: Driver) -> None:
    first = driver.open_attempt()
    driver.hub.close(first.token)
    assert solve_remote_job(first, driver.hub).error == "Cancelled"
    assert driver.endpoint.asked == []


@pytest.mark.slow
def test_stopped_run_ends_cleanly_and_can_be_resumed(driver: Driver) -> None:
    attempt = driver.open_attempt()
    assert driver.hub.stop(attempt.token) is False
    outcome = solve_remote_job(attempt, driver.hub)
    with pytest.raises(Cancelled):
        outcome.result()
    assert driver.hub.stop(attempt.token) is True
    assert len(driver.endpoint.asked) <= 1
    assert solve_remote_job(driver.open_attempt(), driver.hub).result().kind == "plausible"


@pytest.mark.slow
def test_attempts_share_one_rate_limiter(driver: Driver) -> None:
    attempt = driver.open_attempt()
    hub = Hub(30.0, 0.0)
    driver.hub.close(attempt.token)
    hub.open("a", attempt.directory, {})
    assert hub.turn("a", "1", "m", 60.0, 5.0).now
    hub.leave("a", "1", False, Refusal(40.0))
    assert hub.pause("m") > 30
    assert not hub.turn("a", "2", "m", 60.0, 0.05).now
    assert "requests a pause of" in hub.turn("a", "3", "m", 1.0, 5.0).why
    assert hub.turn("a", "4", "another", 60.0, 5.0).now
    hub.close("a")
    assert not hub.turn("a", "5", "another", 60.0, 5.0).now


@pytest.mark.slow
def test_run_cannot_be_opened_by_second_process(driver: Driver) -> None:
    driver.open_attempt()
    with pytest.raises(TryLater):
        Hub(0.0, 0.0).open("b", driver.job.directory, {})


def test_remote_error_keeps_its_type_and_cause(driver: Driver) -> None:
    old = solve_remote_job(replace(driver.open_attempt(), version="0.0.1"), driver.hub)
    with pytest.raises(ConfigError, match=r"swe-agent 0\.0\.1"):
        old.result()
    limited = ModelError("Too many.", "Wait.", limited=True)
    error = TryLater("It is closed.", "Come again.")
    error.__cause__ = limited
    with pytest.raises(TryLater) as caught:
        RemoteOutcome.of(error).result()
    assert isinstance(caught.value.__cause__, ModelError)
    assert (caught.value.__cause__.limited, caught.value.fix) == (True, "Come again.")


def test_missing_ray_package_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys

    from extensions.lab.batch.executors import open_executor
    from extensions.lab.instances.jobs import ExecutorOptions

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match="needs the package ray"):
        open_executor("ray", ExecutorOptions(tmp_path, 1, CancellationToken()))


def test_base_commit_comes_from_driver(driver: Driver) -> None:
    attempt = driver.open_attempt()
    assert attempt.commit == git(driver.job.repository, "rev-parse", "HEAD")


def test_machine_failure_of_node_is_reported(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt, link = driver.open_attempt(), UnreliableHub(driver.hub, lambda name: name == "pull")
    assert not solve_remote_job(attempt, link).of_node
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    outcome = solve_remote_job(replace(attempt, workspace="docker"), link)
    assert outcome.of_node
    with pytest.raises(WorkspaceError, match="Docker is not running"):
        outcome.result()
