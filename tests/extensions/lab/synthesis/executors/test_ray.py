"""Candidates on a cluster: lost workers and unusable nodes cost no result.

Ray is replaced by threads here; the end-to-end tests use it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import pytest

from agent.limits.cancellation import CancellationToken
from extensions.lab.batch import ray_cluster
from extensions.lab.instances.jobs import ExecutorOptions
from extensions.lab.synthesis.candidate import Candidate
from extensions.lab.synthesis.candidate_validation import BaseResults, Validation
from extensions.lab.synthesis.executors import ray as ray_executor
from extensions.lab.synthesis.node_worker import StartReply
from extensions.lab.synthesis.source_repository import open_source
from extensions.lab.synthesis.validation_executor import ValidationInput
from tests.conftest import MakeRepo, OpenWorkspace
from trajectories.errors import Cancelled, UsageError, WorkspaceError

CANDIDATE = Candidate("plant", "operator", {"a.py": b"x = 2\n"}, write_text=lambda failures: "text")
READY = StartReply()
Work = Callable[..., Any]


class RayError(Exception):
    pass


class RayTaskError(RayError):
    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause


class ActorDiedError(RayError):
    pass


class Handle:
    """An actor on a node: the methods of `worker` run in a thread, those of the group `control` beside them."""

    def __init__(self, cluster: FakeRay, node: str, worker: Any) -> None:
        self._cluster, self.node, self._worker = cluster, node, worker
        self._threads = {"work": ThreadPoolExecutor(1), "control": ThreadPoolExecutor(1)}
        self.dead = False

    def __getattr__(self, name: str) -> Any:
        def options(concurrency_group: str) -> Any:
            submit = self._threads[concurrency_group].submit
            return SimpleNamespace(remote=lambda *given: submit(self._run, name, given))

        return SimpleNamespace(options=options)

    def _run(self, name: str, given: tuple[object, ...]) -> Any:
        self._cluster.calls.append((self.node, name, given))
        self.dead = self.dead or name == "__ray_terminate__"
        if self.dead:
            raise ActorDiedError("The actor died.")
        try:
            found = getattr(self._worker, name)(*given)
        except ActorDiedError:
            self.dead = True
            raise
        except Exception as error:
            raise RayTaskError(error) from error
        return (self.node, found) if name == "start_here" else found


class FakeRay:
    """The part of Ray that the executor uses, with nodes that have workers made by functions."""

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError, ActorDiedError=ActorDiedError)

    def __init__(self) -> None:
        self.workers: dict[str, Callable[[], Any]] = {}
        self.calls: list[tuple[str, str, tuple[object, ...]]] = []
        self.actors: list[Handle] = []

    def is_initialized(self) -> bool:
        return True

    def nodes(self) -> list[dict[str, Any]]:
        return [{"NodeID": name, "Alive": True, "Resources": {"CPU": 2}} for name in self.workers]

    def remote(self, **options: object) -> Callable[[type], Any]:
        return lambda kind: SimpleNamespace(options=lambda **more: SimpleNamespace(remote=lambda: self._actor(**more)))

    def _actor(self, label_selector: dict[str, str] | None = None) -> Handle:
        avoided = (label_selector or {}).get("ray.io/node-id", "!in()")[4:-1].split(",")
        able = [name for name in self.workers if name not in avoided]
        node = min(able, key=lambda name: sum(actor.node == name for actor in self.actors))
        self.actors.append(Handle(self, node, self.workers[node]()))
        return self.actors[-1]

    def put(self, value: object) -> object:
        return value

    def get(self, reference: Future[Any]) -> Any:
        return reference.result()

    def wait(self, references: list[Future[Any]], num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        assert num_returns == len(references)
        done = wait(references, timeout).done
        return [one for one in references if one in done], [one for one in references if one not in done]

    def kill(self, actor: Handle) -> None:
        actor.dead = True

    def called(self, name: str) -> list[str]:
        """The nodes on which the method was called."""
        return [node for node, called, _ in self.calls if called == name]


def passed(*given: object) -> Validation:
    return Validation("passed")


class Worker:
    def __init__(
        self, validate: Work = lambda *given: Validation("passed"), start: Work = lambda *given: READY
    ) -> None:
        self.validate, self.is_repaired, self.start_here = validate, validate, start
        self.stopped = Event()

    def stop(self) -> None:
        self.stopped.set()

    def close(self) -> None:
        pass


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    fake = FakeRay()
    monkeypatch.setattr(ray_cluster, "library", lambda: fake)
    monkeypatch.setattr(ray_executor, "TICK", 0.01)
    return fake


class Driver:
    def __init__(self, cluster: FakeRay, repo: Path, open_ws: OpenWorkspace) -> None:
        self.said: list[str] = []
        self.cancel = CancellationToken()
        self.cluster, self.repo = cluster, repo
        self._workspace = open_ws("local", repo, "HEAD")
        self.executor: Any = None

    def start(self, workers: int = 1, **more: str) -> Any:
        self.executor = ray_executor.open(ExecutorOptions(Path("out.jsonl"), workers, self.cancel, more))
        source = open_source(self._workspace.options, None)
        base = BaseResults("pytest", {"test_a.py::test_a": 0.1}, 1.0)
        self.executor.start(ValidationInput(self._workspace, source, base, self.said.append, {"workspace": "local"}))
        return self.executor


@pytest.fixture
def driver(cluster: FakeRay, make_repo: MakeRepo, open_ws: OpenWorkspace) -> Iterator[Driver]:
    made = Driver(cluster, make_repo({"a.py": "x = 1\n"}), open_ws)
    yield made
    if made.executor:
        made.executor.close()


def lost(*given: object) -> None:
    raise ActorDiedError("The actor died because its node has died.\nMore.")


def broken(*given: object) -> None:
    raise WorkspaceError("The shell cannot be started.")


def answers(*works: Work) -> Work:
    """A function that does one after the other, and then the last one always."""
    left = list(works)
    return lambda *given: (left.pop(0) if len(left) > 1 else left[0])(*given)


@pytest.mark.parametrize("failure", [lost, broken])
def test_candidate_of_lost_worker_is_tried_again(cluster: FakeRay, driver: Driver, failure: Work) -> None:
    validate = answers(failure, passed)
    cluster.workers = {"one": lambda: Worker(validate)}
    assert driver.start().validate(CANDIDATE) == Validation("passed")
    assert cluster.called("start_here") == ["one", "one"]
    assert [actor.dead for actor in cluster.actors] == [True, False]
    assert driver.said[0].startswith("A candidate is tried again: ")
    assert "More" not in driver.said[0]


def test_candidate_with_which_several_workers_are_lost_is_refused(cluster: FakeRay, driver: Driver) -> None:
    cluster.workers = {"one": lambda: Worker(lost)}
    executor = driver.start()
    assert executor.validate(CANDIDATE) == Validation("breaks the workspace")
    assert executor.is_repaired(CANDIDATE, Validation(), "text") is None
    assert len(cluster.called("validate")) == ray_executor.TRIES


def test_functions_of_a_candidate_are_not_sent(cluster: FakeRay, driver: Driver) -> None:
    cluster.workers = {"one": Worker}
    driver.start().validate(CANDIDATE)
    (given,) = (given for _, name, given in cluster.calls if name == "validate")
    assert isinstance(given[0], Candidate)
    assert (given[0].files, given[0].write_text) == (CANDIDATE.files, None)


def test_node_without_passing_tests_gets_no_candidate_and_is_named_once(cluster: FakeRay, driver: Driver) -> None:
    def refuse(*given: object) -> StartReply:
        return StartReply(message="Tests do not pass there.", fix="Install more.")

    cluster.workers = {"bad": lambda: Worker(start=refuse), "good": Worker}
    executor = driver.start(workers=4)
    for _ in range(4):
        assert executor.validate(CANDIDATE) == Validation("passed")
    while executor._starting:
        executor.validate(CANDIDATE)
    assert set(cluster.called("validate")) == {"good"}
    assert sorted(cluster.called("start_here")) == ["bad"] * 2 + ["good"] * 4
    assert driver.said == ["Node bad gets no candidates: Tests do not pass there. Install more."]
    cluster.workers = {"bad": lambda: Worker(start=refuse)}
    with pytest.raises(WorkspaceError, match="Node bad gets no candidates: Tests do not pass there") as raised:
        driver.start().validate(CANDIDATE)
    assert raised.value.fix == "Install more. The cluster has no other usable node."


def test_cluster_that_starts_no_worker_ends_the_job(cluster: FakeRay, driver: Driver) -> None:
    cluster.workers = {"one": lambda: Worker(start=lost)}
    with pytest.raises(WorkspaceError, match=r"Ray cannot start a worker: .*its node has died\.\)"):
        driver.start(workers=2).validate(CANDIDATE)
    assert len(cluster.called("start_here")) == 2 * ray_executor.TRIES


def test_repository_is_bundled_once_for_nodes_without_it(
    cluster: FakeRay, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    monkeypatch.setattr(ray_executor, "bundle", lambda root, commit: made.append(root) or b"bundle")
    cluster.workers = {"far": lambda: Worker(start=lambda given, data: StartReply(needs_bundle=data is None))}
    executor = driver.start(workers=2)
    while executor._starting:
        assert executor.validate(CANDIDATE) == Validation("passed")
    assert made == [driver.repo]
    assert [given[1] for _, name, given in cluster.calls if name == "start_here"].count(b"bundle") == 2


def test_interrupt_ends_all_workers(cluster: FakeRay, driver: Driver) -> None:
    workers: list[Worker] = []

    def make() -> Worker:
        worker = Worker()
        worker.validate = lambda *given: worker.stopped.wait(60)
        workers.append(worker)
        return worker

    cluster.workers = {"one": make}
    executor = driver.start(workers=2)
    raised: list[BaseException] = []

    def validate() -> None:
        try:
            executor.validate(CANDIDATE)
        except Cancelled as error:
            raised.append(error)

    threads = [Thread(target=validate) for _ in range(3)]  # one waits for a worker
    for thread in threads:
        thread.start()
    while len(cluster.called("validate")) < 2:
        threads[0].join(0.01)
    driver.cancel.set()
    for thread in threads:
        thread.join(60)
    executor.close()
    assert len(raised) == 3
    assert [worker.stopped.is_set() for worker in workers] == [True, True]
    assert len(cluster.called("close")) == 2
    assert all(actor.dead for actor in cluster.actors)


def test_keys_cannot_be_passed_to_nodes(cluster: FakeRay, driver: Driver) -> None:
    cluster.workers = {"one": Worker}
    with pytest.raises(UsageError, match=r"Ray has no option pass-keys\."):
        driver.start(**{"pass-keys": "1"})
