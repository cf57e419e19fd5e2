"""Runs on nodes that fail, come late, or are told to stop: the driver's side alone says what a run came to."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from threading import Event, Thread
from typing import Any

import pytest

from agent.batch import run_stream
from agent.batch.job_run import begin_job, solve_job
from agent.batch.node_messages import RemoteJob, RemoteOutcome
from agent.batch.remote_hub import Hub, Refusal
from agent.batch.remote_node import solve_remote_job
from agent.batch.repository_bundles import hash_refs
from agent.config.settings import ModelTable, Settings, load_settings
from agent.engine.engine import CancellationToken
from agent.instances.jobs import Instance, Job, JobWatch
from agent.limits.rate_limiter import Limiter
from agent.models import _litellm
from agent.run_state.run_ownership import digest_path
from tests.conftest import MakeRepo, git
from tests.endpoint import Answer, Endpoint, Request
from trajectories.errors import Cancelled, ConfigError, ModelError, TryLater, UsageError, WorkspaceError
from trajectories.journal import read
from trajectories.records import Exit, Issue
from trajectories.trees import Trees

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
        _litellm.library()


class Driver:
    """A job, the hub it goes through, and an endpoint that sees whether each request's hold was here before it."""

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

    def sent(self) -> RemoteJob:
        """A new attempt, open at the hub."""
        begin_job(self.job)
        base = read(self.job.directory).run.base.commit
        directory, repository = self.job.directory, self.job.repository
        sent = RemoteJob(token_hex(8), "one", 1, directory, repository, hash_refs(repository), base)
        self.hub.open(sent.token, sent.directory, {}, digest_path(directory, load_settings().state))
        return sent

    def money(self) -> tuple[int, int, int]:
        """Requests that are held, settled, and replies, as the driver's journal has them."""
        record = read(self.job.directory)
        return len(record.holds), len(record.settles), len(record.replies)


@pytest.fixture
def driver(tmp_path: Path, make_repo: MakeRepo) -> Iterator[Driver]:
    repository = make_repo({"calc.py": "def add(a, b):\n    return a - b\n", ".gitignore": "__pycache__/\n"})
    made = Driver(tmp_path, repository)
    yield made
    made.endpoint.close()
    assert made.unheld == 0


class Flaky:
    """The hub until `fails(name)` says that the way to it is gone, for good."""

    def __init__(self, hub: Hub, fails: Callable[[str], bool]) -> None:
        self._hub, self._fails, self._gone = hub, fails, False

    def __getattr__(self, name: str) -> Any:
        def call(*given: Any) -> Any:
            self._gone = self._gone or self._fails(name)
            if self._gone:
                raise WorkspaceError("The driver cannot be reached.")
            return getattr(self._hub, name)(*given)

        return call


def exits(directory: Path) -> int:
    return sum(isinstance(record, Exit) for record in read(directory).records)


@pytest.mark.slow
def test_run_elsewhere_is_as_one_here(driver: Driver, tmp_path: Path) -> None:
    sent = driver.sent()
    away = solve_remote_job(sent, driver.hub).result()
    driver.hub.close(sent.token)
    driver.counts = False
    local = replace(driver.job, settings=driver.job.settings.model_copy(update={"state": tmp_path / "local"}))
    here = solve_job(local, JobWatch(CancellationToken(), Limiter()))
    same = {"at": 0.0, "seconds": 0.0}
    assert replace(away, **same) == replace(here, **same)
    assert (away.kind, away.calls, exits(driver.job.directory)) == ("verified", 3, 1)
    assert driver.job.settings.experience
    assert not [*tmp_path.rglob("experience")], "what one instance comes to must not depend on another"
    for name in ("patch.diff", "proof.sh"):
        text = (driver.job.directory / name).read_text()
        assert text == (local.directory / name).read_text().replace(str(local.directory), str(driver.job.directory))
    with Trees(driver.job.directory / "trees.git") as trees:
        assert b"a + b" in trees.read(read(driver.job.directory).exit.tree, "calc.py")


@pytest.mark.slow
def test_node_without_repository_gets_copy(driver: Driver, tmp_path: Path) -> None:
    sent = replace(driver.sent(), repository=tmp_path / "not here" / "calc")
    driver.hub.bundle = lambda root, commit: Hub.bundle(driver.hub, driver.job.repository, commit)  # type: ignore[method-assign]
    assert solve_remote_job(sent, driver.hub).result().kind == "verified"


@pytest.mark.slow
@pytest.mark.parametrize("moment", [2, 4, 7])
def test_lost_node_s_run_goes_on_from_what_arrived(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    monkeypatch.setattr(run_stream, "PAUSE", 3600.0)  # so that pushes are those before requests, and the last
    calls = iter(range(1000))
    flaky = Flaky(driver.hub, lambda name: name in ("push", "turn", "leave") and next(calls) >= moment)
    lost = solve_remote_job(driver.sent(), flaky)
    assert (lost.done, lost.error) == (None, "WorkspaceError")
    before, asked = driver.money(), len(driver.endpoint.asked)
    assert before[0] >= asked
    assert exits(driver.job.directory) == 0
    done = solve_remote_job(driver.sent(), driver.hub).result()
    held, _, replies = driver.money()
    assert (done.kind, replies, exits(driver.job.directory)) == ("verified", 3, 1)
    assert len(driver.endpoint.asked) - asked == 3 - before[2]
    assert held == len(driver.endpoint.asked) + (before[0] - asked)
    assert done.calls == held
    assert done.dollars == pytest.approx(_dollars(driver))


def _dollars(driver: Driver) -> float:
    record = read(driver.job.directory)
    return sum(
        record.settles[name].dollars if name in record.settles else hold.dollars for name, hold in record.holds.items()
    )


class CutOff:
    """The hub, to which there is no way from the second request to a model until `back`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.gone, self.back = Event(), Event()

    def __getattr__(self, name: str) -> Any:
        def call(*given: Any) -> Any:
            if len(self._driver.endpoint.asked) >= 2:  # its hold has been sent, its reply has not been received
                self.gone.set()
                assert self.back.wait(60)
            return getattr(self._driver.hub, name)(*given)

        return call


@pytest.mark.slow
def test_who_comes_late_is_refused(driver: Driver) -> None:
    first, outcomes, link = driver.sent(), [], CutOff(driver)
    slow = Thread(target=lambda: outcomes.append(solve_remote_job(first, link)))
    slow.start()
    assert link.gone.wait(60)
    done = solve_remote_job(driver.sent(), driver.hub).result()
    record = (driver.job.directory / "journal.jsonl").read_bytes()
    link.back.set()
    slow.join(60)
    assert (outcomes[0].done, outcomes[0].error) == (None, "Cancelled")
    assert (driver.job.directory / "journal.jsonl").read_bytes() == record
    assert (done.kind, exits(driver.job.directory)) == ("verified", 1)
    assert len(driver.endpoint.asked) == len(read(driver.job.directory).holds) == 4  # the second is asked again


@pytest.mark.slow
def test_who_begins_late_begins_nothing(driver: Driver) -> None:
    first = driver.sent()
    driver.hub.close(first.token)
    assert solve_remote_job(first, driver.hub).error == "Cancelled"
    assert driver.endpoint.asked == []


@pytest.mark.slow
def test_run_that_is_stopped_stops_in_order_and_goes_on(driver: Driver) -> None:
    sent = driver.sent()
    assert driver.hub.stop(sent.token) is False
    outcome = solve_remote_job(sent, driver.hub)
    with pytest.raises(Cancelled):
        outcome.result()
    assert driver.hub.stop(sent.token) is True
    assert len(driver.endpoint.asked) <= 1
    assert solve_remote_job(driver.sent(), driver.hub).result().kind == "verified"


def test_two_attempts_share_one_limiter(driver: Driver) -> None:
    sent = driver.sent()
    hub = Hub(30.0, 0.0)
    driver.hub.close(sent.token)
    hub.open("a", sent.directory, {})
    assert hub.turn("a", "1", "m", 60.0, 5.0).now
    hub.leave("a", "1", False, Refusal(40.0))
    assert hub.pause("m") > 30
    assert not hub.turn("a", "2", "m", 60.0, 0.05).now
    assert "asks to wait" in hub.turn("a", "3", "m", 1.0, 5.0).why
    assert hub.turn("a", "4", "another", 60.0, 5.0).now
    hub.close("a")
    assert not hub.turn("a", "5", "another", 60.0, 5.0).now


def test_only_one_process_works_on_run(driver: Driver) -> None:
    driver.sent()
    with pytest.raises(TryLater):
        Hub(0.0, 0.0).open("b", driver.job.directory, {})


def test_errors_are_what_they_were(driver: Driver) -> None:
    old = solve_remote_job(replace(driver.sent(), version="0.0.1"), driver.hub)
    with pytest.raises(ConfigError, match=r"swe-agent 0\.0\.1"):
        old.result()
    asked = ModelError("Too many.", "Wait.", limited=True)
    error = TryLater("It is closed.", "Come again.")
    error.__cause__ = asked
    with pytest.raises(TryLater) as caught:
        RemoteOutcome.of(error).result()
    assert isinstance(caught.value.__cause__, ModelError)
    assert (caught.value.__cause__.limited, caught.value.fix) == (True, "Come again.")


def test_engine_ray_is_told_of_where_it_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys

    from agent.instances.jobs import ExecutorOptions, open_executor

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match="needs the package ray"):
        open_executor("ray", ExecutorOptions(tmp_path, 1, CancellationToken()))


def test_base_is_what_driver_says(driver: Driver) -> None:
    sent = driver.sent()
    assert sent.commit == git(driver.job.repository, "rev-parse", "HEAD")


def test_machine_that_fails_as_whole_says_so(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    sent, link = driver.sent(), Flaky(driver.hub, lambda name: name == "pull")
    assert not solve_remote_job(sent, link).of_node
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    outcome = solve_remote_job(replace(sent, workspace="docker"), link)
    assert outcome.of_node
    with pytest.raises(WorkspaceError, match="Docker is not running"):
        outcome.result()
