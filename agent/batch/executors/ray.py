"""Instances are solved as Ray tasks, on whatever machines a cluster has; each needs swe-agent of the driver's version,
git, and what the workspace asks for (`swe-agent doctor` on it tells).

The driver runs on a machine of the cluster and begins all runs. Each then goes on elsewhere, and what it does is on the
driver's disk within a second, each request's hold before the request leaves. So where a node is lost, its run goes on
from there on another, and nothing that was spent goes uncounted. Ray itself repeats nothing (`max_retries=0`).

A repository is taken from its path where that leads to it on the node too, else it is copied there, once a node.
Files that settings name (`certificates`, a scripted model) are the node's.

Keys of models are the node's own: in its environment, keyring or file. With `pass-keys=1` the driver's environment
variables go there instead, from memory to memory in the calls of an actor: in no task, no runtime environment and no
log of Ray's, but in clear on the wire unless Ray is set up with TLS.
"""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from secrets import token_hex
from threading import Lock, current_thread, main_thread
from typing import Any, cast

from aci.repository import Repository
from agent.batch.attempt import Link, Outcome, Sent
from agent.batch.clones import state_of
from agent.batch.hub import Event, Hub
from agent.batch.machine import check_machine
from agent.batch.node import solve_sent
from agent.batch.nodes import Nodes
from agent.batch.place import Done, Job, PlaceOptions, Watch
from agent.batch.solving import begin_job, solve_job
from agent.batch.working import Halt
from agent.engine import Happening
from agent.keys import variables
from agent.ownership import digest_path
from agent.settings import Settings, load_settings
from trajectories.errors import Cancelled, SweAgentError, UsageError, WorkspaceError
from trajectories.journal import decode, first_record, read
from trajectories.trajectory import Trajectory

OPTIONS = ("address", "cpus", "pass-keys")
NEWS = 1.0
"""Seconds that one question for news takes at most."""
GRACE = 60.0
"""Seconds that a run is given to stop in order."""
WAIT = 60.0
"""Seconds after which it is said that a job waits for a node, or that the hub does not answer."""
GROUPS = {"news": "news", "turn": "turns", "bundle": "bundles"}
"""Which threads of the hub answer what may take long; `io` answers the rest."""


class Ray:
    """`address` is that of a cluster that runs (`auto`: this machine's); without it one is started here. A task takes
    `cpus` processors."""

    def __init__(self, options: PlaceOptions) -> None:
        self._ray = _library()
        more = options.more
        if strange := sorted(more.keys() - set(OPTIONS)):
            raise UsageError(f"Ray has no option {strange[0]}.", f"Its options are {', '.join(OPTIONS)}.")
        self._workers, self._cpus = options.workers, _cpus(more.get("cpus", "1"))
        self._pass_keys = more.get("pass-keys", "0") not in ("0", "")
        self._lock, self._hub = Lock(), None
        self._ours = not self._ray.is_initialized()
        if self._ours:
            self._connect(more.get("address", "local"))
        self._task = self._ray.remote(num_cpus=self._cpus, max_retries=0)(_solve)
        self._nodes = Nodes(self._ray, self._cpus)

    def solve(self, job: Job, watch: Watch) -> Done:
        """See `Place.solve`. A node that is lost is a WorkspaceError: called again, the run goes on on another. A node
        that fails as a whole gets nothing more, and costs no try. Raises Halt where no node is left that could solve
        anything, or where this machine fails."""
        while True:
            watch.cancel.check()
            begin_job(job)
            record = read(job.directory)
            if record.exit is not None:  # all that was lost is the word that it has ended
                return solve_job(job, watch)
            try:
                node, outcome = self._attempted(job, watch, record)
                if not outcome.of_node:
                    return outcome.result()
            except WorkspaceError:
                _check_here(job)
                raise
            self._nodes.avoid(node, outcome)
            what = f"Node {node[:8]} gets nothing more to do: {outcome.message}"
            watch.happening(job, Happening("say", "main", what))

    def _attempted(self, job: Job, watch: Watch, record: Trajectory) -> tuple[str, Outcome]:
        root = Repository.open(job.repository).root
        base = first_record(record, job.directory).base.commit
        directory = job.directory.resolve()
        state, workspace = state_of(root), job.settings.workspace
        sent = Sent(token_hex(16), job.instance.id, job.repeat, directory, root, state, base, workspace)
        hub = self._opened(job)
        keys = variables(job.settings) if self._pass_keys else {}
        self._ask(hub, "open", sent.token, sent.directory, keys, digest_path(directory, load_settings().state))
        try:
            return self._followed(job, watch, hub, sent)
        finally:
            with suppress(WorkspaceError):  # a hub that has died takes nothing either
                self._ask(hub, "close", sent.token)

    def close(self) -> None:
        if self._hub is not None:
            with suppress(self._ray.exceptions.RayError):
                self._ray.kill(self._hub)
        if self._ours:
            self._ray.shutdown()

    def _connect(self, address: str) -> None:
        if address.startswith("ray://"):
            raise UsageError(
                "The driver cannot be a client of a cluster, as journals come to its disk.",
                "Start the batch on a machine of the cluster, with address=auto.",
            )
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing of ours calls home
        ours: dict[str, Any] = {}
        if address == "local":
            cpus = max(os.cpu_count() or 1, math.ceil(self._workers * self._cpus))
            ours = {"num_cpus": cpus, "include_dashboard": False}
        # Ray writes what it learns of nodes to stdout, where results go, and has no option against it.
        self._ray._private.worker.print_to_stdstream = lambda *_, **__: None
        with _own_signals():
            try:
                self._ray.init(address=address, log_to_driver=False, logging_level="ERROR", **ours)
            except (ConnectionError, RuntimeError, ValueError) as error:
                what = f"No Ray cluster can be reached at {address}: {str(error).partition(chr(10))[0]}"
                fix = "`ray start --head` starts one; without an address one is started here."
                raise UsageError(what, fix) from None

    def _opened(self, job: Job) -> Any:
        """The hub, on the driver's machine; made anew where it has died. Raises Halt where none can be had."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        with self._lock:
            if self._hub is not None and not self._lives(self._hub):
                self._hub = None
            if self._hub is None:
                here = NodeAffinitySchedulingStrategy(self._ray.get_runtime_context().get_node_id(), soft=False)
                groups = {"io": 8, "bundles": 1, "news": self._workers, "turns": self._workers}
                made = self._ray.remote(num_cpus=0, concurrency_groups=groups, scheduling_strategy=here)(Hub)
                hub = made.remote(job.settings.retry_wait, job.settings.patience)
                try:
                    lives = self._lives(hub)
                except WorkspaceError:
                    lives = False
                if not lives:
                    what = "Ray starts no process on this machine, where the batch keeps its records."
                    raise Halt(what, "See `ray status` and this machine's memory, then start the batch again.")
                self._hub = hub
            return self._hub

    def _lives(self, hub: Any) -> bool:
        """Raises WorkspaceError where that cannot be told."""
        try:
            self._ray.get(hub.__ray_ready__.remote(), timeout=WAIT)
        except self._ray.exceptions.ActorDiedError:
            return False
        except self._ray.exceptions.RayError as error:
            what = f"The process that keeps the batch's records does not answer ({type(error).__name__})."
            raise WorkspaceError(what, "See `ray status` on this machine.") from None
        return True

    def _wait(self, job: Job, watch: Watch, hub: Any, sent: Sent) -> bool:
        """Whether the job still waits for a node. Raises Halt where none will ever take it."""
        if self._ask(hub, "begun", sent.token):
            return False
        self._nodes.check()
        what = "It waits for a node that has time for it, in turn with what else the cluster does."
        watch.happening(job, Happening("say", "main", what))
        return True

    def _followed(self, job: Job, watch: Watch, hub: Any, sent: Sent) -> tuple[str, Outcome]:
        task = self._task.options(**self._nodes.options()).remote(sent, hub)
        watch.happening(job, Happening("action", "main", "waits for a node"))
        end, look = None, time.monotonic() + WAIT
        while True:
            news = _call(hub, "news")(sent.token, NEWS)
            self._ray.wait([task, news], num_returns=1, timeout=NEWS)
            over = bool(self._ray.wait([task], timeout=0)[0])
            _show(job, watch, self._got(news))
            if over:
                return cast(tuple[str, Outcome], self._got(task))
            if time.monotonic() >= look:
                look = time.monotonic() + WAIT if self._wait(job, watch, hub, sent) else math.inf
            if end is None and watch.cancel.is_set():
                end = time.monotonic() + (GRACE if self._ask(hub, "stop", sent.token) else 0.0)
            if end is not None and time.monotonic() >= end:
                self._ray.cancel(task, force=True)
                raise Cancelled("The batch was stopped.", "")

    def _ask(self, hub: Any, name: str, *given: Any) -> Any:
        return self._got(_call(hub, name)(*given))

    def _got(self, reference: Any) -> Any:
        return _got(self._ray, reference)


def open(options: PlaceOptions) -> Ray:
    return Ray(options)


def _solve(sent: Sent, hub: Any) -> tuple[str, Outcome]:
    """The task: what a node does, and which one it was."""
    outcome = solve_sent(sent, cast(Link, _Far(hub)))
    return _library().get_runtime_context().get_node_id(), outcome


def _check_here(job: Job) -> None:
    """Raises Halt where it is the driver's own disk that failed."""
    try:
        check_machine(Settings(workspace="local", state=job.settings.state))
    except WorkspaceError as error:
        raise Halt(error.message, error.fix) from error


class _Far:
    """The hub's methods, called from a node."""

    def __init__(self, hub: Any) -> None:
        self._ray, self._hub = _library(), hub

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *given: _got(self._ray, _call(self._hub, name)(*given))


def _call(hub: Any, name: str) -> Callable[..., Any]:
    method: Callable[..., Any] = getattr(hub, name).options(concurrency_group=GROUPS.get(name, "io")).remote
    return method


def _got(ray: Any, reference: Any) -> Any:
    """What a task or the hub answers. Raises WorkspaceError where the machine or process that should is gone."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, SweAgentError):
            raise error.cause from None
        raise
    except ray.exceptions.ActorDiedError:
        what = "The process that keeps the batch's records was lost."
        raise WorkspaceError(what, "All that it kept is on disk; the run goes on from there.") from None
    except ray.exceptions.RayError as error:
        what = f"A node of the cluster was lost ({type(error).__name__})."
        raise WorkspaceError(what, "What it had done is kept; the run goes on from there.") from None


def _show(job: Job, watch: Watch, events: list[Event]) -> None:
    for kind, branch, text, dollars in events:
        if kind == "step":
            watch.step(job, decode(text.encode()), dollars)  # type: ignore[arg-type]  # only steps are sent so
        else:
            watch.happening(job, Happening(kind, branch, text))


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray sets a handler of its own for SIGTERM, which ends the process without stopping the runs."""
    ours = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if current_thread() is main_thread():
            signal.signal(signal.SIGTERM, ours)


def _library() -> Any:
    try:
        import ray
    except ImportError:
        what = "--engine ray needs the package ray, which is not installed."
        raise UsageError(what, "Install swe-agent with it: pipx install 'swe-agent[ray]'.") from None
    return ray


def _cpus(given: str) -> float:
    try:
        number = float(given)
    except ValueError:
        number = 0.0
    if not 0 < number < math.inf:
        raise UsageError(
            f"cpus={given} is no number of processors.", "Give what one task takes, as cpus=1 or cpus=0.5."
        )
    return number
