"""The Ray executor: jobs run as Ray tasks on the machines of a cluster.

Each machine needs the driver's version of swe-agent, git, and what the workspace requires (`swe-agent doctor` shows
it). The driver runs on a machine of the cluster and starts all runs. The runs continue on the nodes, and their data
reaches the driver's disk within a second; a request's reservation is stored there before the request is sent. If a node
is lost, its run therefore continues on another one, and no spending is lost. Ray itself retries nothing
(`max_retries=0`).

A repository is used at its path if that path works on the node too; otherwise it is copied once to each node. Files
named in settings (`certificates`, a scripted model) are read from the node's disk.

API keys are read from the node's own environment, keyring or file. With `pass-keys=1`, the keys in the driver's
environment variables are sent to the node in actor calls instead: they appear in no task, runtime environment or log of
Ray, but are unencrypted on the network unless Ray uses TLS.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from threading import Lock
from typing import Any, cast

from aci.observation.activity_message import ActivityMessage
from aci.repository.user_repository import Repository
from agent.config.api_keys import variables
from agent.config.settings import Settings, load_settings
from agent.engine.run_events import current_stream
from agent.run_state.progress_event import ProgressEvent
from agent.run_state.run_ownership import digest_path
from extensions.lab.batch.batch_worker import BatchHalt
from extensions.lab.batch.job_run import begin_job, solve_job
from extensions.lab.batch.node_messages import HubConnection, RemoteJob, RemoteOutcome
from extensions.lab.batch.ray_cluster import RayCluster, get_result, library
from extensions.lab.batch.remote_hub import Event, Hub
from extensions.lab.batch.remote_node import solve_remote_job
from extensions.lab.batch.repository_bundles import hash_refs
from extensions.lab.instances.host_errors import check_machine
from extensions.lab.instances.jobs import ExecutorOptions, Job, JobResult, JobWatch
from trajectories.errors import Cancelled, SweAgentError, WorkspaceError
from trajectories.journal import Lines, decode, first_record, read
from trajectories.records import Record
from trajectories.trajectory import Trajectory

OPTIONS = ("address", "cpus", "pass-keys")
NEWS = 1.0
"""Maximum number of seconds that one request for new events may take."""
GRACE = 60.0
"""Number of seconds that a run gets to stop gracefully."""
WAIT = 60.0
"""Seconds after which the executor reports that a job waits for a node, or that the hub does not answer."""
GROUPS = {"news": "news", "turn": "turns", "bundle": "bundles"}
"""The hub's concurrency groups for calls that may take long; `io` serves the rest."""


class JournalFollower:
    """Publishes the records that another process adds to a run's journal on this disk."""

    def __init__(self, directory: Path) -> None:
        self._stream, self._run = current_stream(), directory.name
        self._lines = Lines(directory / "journal.jsonl")
        self._records: list[Record] = []
        if self._stream:
            self._read()
        self._opened = len(self._records)

    def publish(self) -> None:
        """Publish the records that are new since the last call."""
        if self._stream:
            self._read()
            self._stream.publish(self._run, self._records, self._opened)

    def _read(self) -> None:
        with suppress(SweAgentError):  # whoever needs the records reports that they cannot be read
            self._records.extend(self._lines.new())


class Ray:
    """The executor on a Ray cluster; see `RayCluster` for its options."""

    def __init__(self, options: ExecutorOptions) -> None:
        self._cluster = cluster = RayCluster(options, OPTIONS)
        self._ray, self._nodes, self._workers = cluster.ray, cluster.nodes, options.workers
        self._pass_keys = options.more.get("pass-keys", "0") not in ("0", "")
        self._lock, self._hub = Lock(), None
        self._task = self._ray.remote(num_cpus=cluster.cpus, max_retries=0)(_solve)

    def solve(self, job: Job, watch: JobWatch) -> JobResult:
        """Run the job on a node; see `Executor.solve`.

        Raises WorkspaceError if the node is lost; a repeated call resumes the run on another node. A node that fails as
        a whole gets no more jobs, and this does not count as a try. Raises BatchHalt if no usable node is left or this
        machine fails.
        """
        while True:
            watch.cancel.check()
            begin_job(job)
            record = read(job.directory)
            if record.exit is not None:  # the run has ended, but the message about its end was lost
                return solve_job(job, watch)
            try:
                node, outcome = self._attempt(job, watch, record)
                if not outcome.of_node:
                    return outcome.result()
            except WorkspaceError:
                _check_here(job)
                raise
            self._nodes.avoid(node, outcome.message, outcome.fix)
            what = f"Node {node[:8]} gets no more jobs: {outcome.message}"
            watch.happening(job, ProgressEvent("say", "main", what))

    def _attempt(self, job: Job, watch: JobWatch, record: Trajectory) -> tuple[str, RemoteOutcome]:
        root = Repository.open(job.repository).root
        base = first_record(record, job.directory).base.commit
        directory = job.directory.resolve()
        state, workspace = hash_refs(root), job.settings.workspace
        sent = RemoteJob(token_hex(16), job.instance.id, job.repeat, directory, root, state, base, workspace)
        hub = self._open_hub(job)
        keys = variables(job.settings) if self._pass_keys else {}
        self._ask(hub, "open", sent.token, sent.directory, keys, digest_path(directory, load_settings().state))
        try:
            return self._follow(job, watch, hub, sent)
        finally:
            with suppress(WorkspaceError):  # a dead hub cannot close the attempt
                self._ask(hub, "close", sent.token)

    def close(self) -> None:
        if self._hub is not None:
            with suppress(self._ray.exceptions.RayError):
                self._ray.kill(self._hub)
        self._cluster.close()

    def _open_hub(self, job: Job) -> Any:
        """Return the hub on the driver's machine, restarted if it died. Raises BatchHalt if it cannot be started."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        with self._lock:
            if self._hub is not None and not self._is_alive(self._hub):
                self._hub = None
            if self._hub is None:
                here = NodeAffinitySchedulingStrategy(self._ray.get_runtime_context().get_node_id(), soft=False)
                groups = {"io": 8, "bundles": 1, "news": self._workers, "turns": self._workers}
                made = self._ray.remote(num_cpus=0, concurrency_groups=groups, scheduling_strategy=here)(Hub)
                hub = made.remote(job.settings.retry_wait, job.settings.patience)
                try:
                    lives = self._is_alive(hub)
                except WorkspaceError:
                    lives = False
                if not lives:
                    what = "Ray cannot start a process on this machine, which stores the batch's records."
                    raise BatchHalt(what, "Check `ray status` and this machine's memory, then start the batch again.")
                self._hub = hub
            return self._hub

    def _is_alive(self, hub: Any) -> bool:
        """Whether the hub is alive. Raises WorkspaceError if it does not answer."""
        try:
            self._ray.get(hub.__ray_ready__.remote(), timeout=WAIT)
        except self._ray.exceptions.ActorDiedError:
            return False
        except self._ray.exceptions.RayError as error:
            what = f"The process that stores the batch's records does not answer ({type(error).__name__})."
            raise WorkspaceError(what, "Check `ray status` on this machine.") from None
        return True

    def _wait(self, job: Job, watch: JobWatch, hub: Any, sent: RemoteJob) -> bool:
        """Whether the job still waits for a node. Raises BatchHalt if no node can ever run it."""
        if self._ask(hub, "has_started", sent.token):
            return False
        self._nodes.check()
        what = ActivityMessage("It waits for a free node of the cluster.")
        watch.happening(job, ProgressEvent("say", "main", what))
        return True

    def _follow(self, job: Job, watch: JobWatch, hub: Any, sent: RemoteJob) -> tuple[str, RemoteOutcome]:
        journal = JournalFollower(job.directory)  # before the node adds records
        task = self._task.options(**self._nodes.options()).remote(sent, hub)
        watch.happening(job, ProgressEvent("action", "main", "waits for a node"))
        end, look = None, time.monotonic() + WAIT
        while True:
            news = _call(hub, "news")(sent.token, NEWS)
            self._ray.wait([task, news], num_returns=1, timeout=NEWS)
            over = bool(self._ray.wait([task], timeout=0)[0])
            _show(job, watch, self._get_result(news))
            journal.publish()
            if over:
                return cast(tuple[str, RemoteOutcome], self._get_result(task))
            if time.monotonic() >= look:
                look = time.monotonic() + WAIT if self._wait(job, watch, hub, sent) else math.inf
            if end is None and watch.cancel.is_set():
                end = time.monotonic() + (GRACE if self._ask(hub, "stop", sent.token) else 0.0)
            if end is not None and time.monotonic() >= end:
                self._ray.cancel(task, force=True)
                raise Cancelled("The batch was stopped.", "")

    def _ask(self, hub: Any, name: str, *given: Any) -> Any:
        return self._get_result(_call(hub, name)(*given))

    def _get_result(self, reference: Any) -> Any:
        return _get_result(self._ray, reference)


def open(options: ExecutorOptions) -> Ray:
    return Ray(options)


def _solve(sent: RemoteJob, hub: Any) -> tuple[str, RemoteOutcome]:
    """Run the task on a node; return the node's id and the outcome."""
    outcome = solve_remote_job(sent, cast(HubConnection, _RemoteHub(hub)))
    return library().get_runtime_context().get_node_id(), outcome


def _check_here(job: Job) -> None:
    """Raise BatchHalt if the driver's own machine has failed."""
    try:
        check_machine(Settings(workspace="local", state=job.settings.state))
    except WorkspaceError as error:
        raise BatchHalt(error.message, error.fix) from error


class _RemoteHub:
    """A proxy for the hub's methods on a node."""

    def __init__(self, hub: Any) -> None:
        self._ray, self._hub = library(), hub

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *given: _get_result(self._ray, _call(self._hub, name)(*given))


def _call(hub: Any, name: str) -> Callable[..., Any]:
    method: Callable[..., Any] = getattr(hub, name).options(concurrency_group=GROUPS.get(name, "io")).remote
    return method


def _get_result(ray: Any, reference: Any) -> Any:
    """Return the answer of a task or the hub. Raises WorkspaceError if its machine or process is gone."""
    try:
        return get_result(ray, reference)
    except ray.exceptions.RayTaskError:
        raise
    except ray.exceptions.ActorDiedError:
        what = "The process that stores the batch's records was lost."
        raise WorkspaceError(what, "Its records are on disk; the run resumes from there.") from None
    except ray.exceptions.RayError as error:
        what = f"A node of the cluster was lost ({type(error).__name__})."
        raise WorkspaceError(what, "Its work is saved; the run resumes from there.") from None


def _show(job: Job, watch: JobWatch, events: list[Event]) -> None:
    for kind, branch, text, dollars in events:
        if kind == "step":
            watch.step(job, decode(text.encode()), dollars)  # type: ignore[arg-type]  # only steps are sent so
            continue
        event = ProgressEvent(kind, branch, text)
        watch.happening(job, event)
        if stream := current_stream():
            stream.progress(job.run, event)
