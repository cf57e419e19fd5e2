"""The Ray executor: candidates are validated by actors on the machines of a cluster.

Each machine needs the driver's version of swe-agent, git, and what the workspace and the tests require. The driver
measures the base; each worker runs the tests of the base before its first candidate, and a node where they do not pass
gets none. A repository is used at its path if that path works on the node too; otherwise it is copied there once.

If a worker or its node is lost, another worker tries the candidate again. Ray itself retries nothing.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, cast

from agent.version import __version__
from extensions.lab.batch.ray_cluster import RayCluster, get_result, library
from extensions.lab.batch.repository_bundles import bundle, hash_refs
from extensions.lab.instances.jobs import ExecutorOptions
from extensions.lab.synthesis.candidate import Candidate
from extensions.lab.synthesis.candidate_validation import Validation
from extensions.lab.synthesis.node_worker import NodeInput, NodeWorker, StartReply
from extensions.lab.synthesis.validation_executor import ValidationInput
from trajectories.errors import WorkspaceError

OPTIONS = ("address", "cpus")
TRIES = 3
"""Number of workers that may be lost with a candidate, and of lost starts of a worker in a row."""
TICK = 0.1
"""Seconds between two checks for a worker that is ready."""
REPORT = 60.0
"""Seconds after which the executor reports that a candidate waits for a node."""
STOP_SECONDS, END_SECONDS = 5.0, 30.0
"""Seconds in which a worker must answer to `stop`, and in which it must have ended."""
BREAKS_WORKSPACE = "breaks the workspace"


@dataclass(frozen=True, slots=True)
class _Start:
    """The start of a worker; `tries` counts the starts before it that were lost."""

    actor: Any
    tries: int = 0


class Ray:
    """The executor on a Ray cluster; see `RayCluster` for its options."""

    def __init__(self, options: ExecutorOptions) -> None:
        self._options = options
        self._cluster = RayCluster(options, OPTIONS)
        self._ray, self._nodes = self._cluster.ray, self._cluster.nodes
        groups = {"work": 1, "control": 1}
        self._worker = self._ray.remote(num_cpus=self._cluster.cpus, max_restarts=0, concurrency_groups=groups)(_Worker)
        self._lock = Lock()
        self._idle: list[Any] = []
        self._actors: list[Any] = []
        self._starting: dict[Any, _Start] = {}
        self._bundle: Any = None
        self._error: WorkspaceError | None = None

    def start(self, given: ValidationInput) -> None:
        self._source, self._say = given.source, given.say
        root = given.source.repository.root
        self._given = NodeInput(root, hash_refs(root), given.source.commit, given.base, given.settings)
        for _ in range(self._options.workers):
            self._start()

    def validate(self, candidate: Candidate) -> Validation:
        nearest = self._source.nearest_tests(candidate)
        found = self._call("validate", _as_data(candidate), nearest)
        return cast(Validation, found) if found is not None else Validation(BREAKS_WORKSPACE)

    def is_repaired(self, candidate: Candidate, validation: Validation, text: str) -> bool | None:
        return cast(bool | None, self._call("is_repaired", _as_data(candidate), validation, text))

    def close(self) -> None:
        """End the workers and what runs in them."""
        stopped = {_ask(actor, "stop", "control"): actor for actor in self._actors}
        alive = [stopped[reference] for reference in self._wait_for(list(stopped), STOP_SECONDS)]
        self._end(alive)
        for actor in self._actors:
            if actor not in alive:
                self._kill(actor)
        self._cluster.close()

    def _call(self, name: str, *given: Any) -> Any:
        """Return the answer of a worker; None if several were lost with it."""
        for _ in range(TRIES):
            actor = self._take()
            reference = _ask(actor, name, "work", *given)
            while not self._wait_for([reference], TICK):
                self._options.cancel.check()
            try:
                found = self._get_result(reference)
            except WorkspaceError as error:
                self._say(f"A candidate is tried again: {error.message}")
                self._replace(actor)
                continue
            with self._lock:
                self._idle.append(actor)
            return found
        return None

    def _take(self) -> Any:
        """Return a worker that is ready, as soon as there is one."""
        look = time.monotonic() + REPORT
        while True:
            self._options.cancel.check()
            with self._lock:
                self._admit()
                if self._idle:
                    return self._idle.pop()
                if self._error and not self._actors:
                    raise self._error
            if time.monotonic() >= look:
                look += REPORT
                self._nodes.check()
                self._say("A candidate waits for a worker of the cluster.")
            time.sleep(TICK)

    def _admit(self) -> None:
        """Admit the workers that have started, and start others in place of those that could not."""
        for reference in self._wait_for(list(self._starting), 0):
            start = self._starting.pop(reference)
            try:
                node, reply = cast(tuple[str, StartReply], self._get_result(reference))
            except WorkspaceError as error:
                self._start_again(start, error)
                continue
            if reply.needs_bundle:
                self._begin(start, self._bundled())
            elif reply.message:
                self._refuse(start, node, reply)
            else:
                self._idle.append(start.actor)

    def _start_again(self, start: _Start, error: WorkspaceError) -> None:
        self._end([start.actor])
        self._actors.remove(start.actor)
        if start.tries + 1 < TRIES:
            self._start(start.tries + 1)
        else:
            fix = f"Check `ray status`, and install swe-agent {__version__} on all nodes."
            self._error = WorkspaceError(f"Ray cannot start a worker: {error.message}", fix)

    def _refuse(self, start: _Start, node: str, reply: StartReply) -> None:
        """Exclude the node, name it once, and start the worker on another node, if there is one."""
        self._end([start.actor])
        self._actors.remove(start.actor)
        what = f"Node {node[:8]} gets no candidates: {reply.message}"
        try:
            if self._nodes.avoid(node, what, reply.fix):
                self._say(f"{what} {reply.fix}")
            self._start()
        except WorkspaceError as error:
            self._error = error

    def _start(self, tries: int = 0) -> None:
        actor = self._worker.options(**self._nodes.options()).remote()
        self._actors.append(actor)
        self._begin(_Start(actor, tries))

    def _begin(self, start: _Start, repository: Any = None) -> None:
        self._starting[_ask(start.actor, "start_here", "work", self._given, repository)] = start

    def _bundled(self) -> Any:
        """Return the repository as a bundle, made once and kept in Ray's object store."""
        if self._bundle is None:
            self._bundle = self._ray.put(bundle(self._given.repository, self._given.commit))
        return self._bundle

    def _replace(self, actor: Any) -> None:
        self._end([actor])  # it may live and its workspace be broken
        with self._lock:
            self._actors.remove(actor)
            self._start()

    def _end(self, actors: list[Any]) -> None:
        """End the workers in order, and kill those that do not end in time."""
        ending = {}
        for actor in actors:
            _ask(actor, "close")
            ending[_ask(actor, "__ray_terminate__")] = actor  # removes what the process keeps until its end
        ended = self._wait_for(list(ending), END_SECONDS)
        for reference, actor in ending.items():
            if reference not in ended:
                self._kill(actor)

    def _kill(self, actor: Any) -> None:
        with suppress(self._ray.exceptions.RayError):
            self._ray.kill(actor)

    def _wait_for(self, references: list[Any], seconds: float) -> list[Any]:
        """Return the references whose results exist, after at most so many seconds."""
        if not references:
            return []
        ready, _ = self._ray.wait(references, num_returns=len(references), timeout=seconds)
        return cast(list[Any], ready)

    def _get_result(self, reference: Any) -> Any:
        """Return the answer of a worker. Raises WorkspaceError if the worker or its node is lost."""
        try:
            return get_result(self._ray, reference)
        except self._ray.exceptions.RayTaskError:
            raise
        except self._ray.exceptions.RayError as error:
            first = str(error).strip().partition("\n")[0]
            raise WorkspaceError(f"A worker of the cluster was lost ({first or type(error).__name__}).", "") from None


class _Worker(NodeWorker):
    def start_here(self, given: NodeInput, repository: bytes | None) -> tuple[str, StartReply]:
        """Start the worker; return the node's id and the answer."""
        return library().get_runtime_context().get_node_id(), self.start(given, repository)


def _ask(actor: Any, name: str, group: str = "work", *given: Any) -> Any:
    return getattr(actor, name).options(concurrency_group=group).remote(*given)


def _as_data(candidate: Candidate) -> Candidate:
    """Return the candidate without the function that writes its text."""
    return replace(candidate, write_text=None)


def open(options: ExecutorOptions) -> Ray:
    """Open the executor. Raises UsageError if the cluster or an option cannot be used."""
    return Ray(options)
