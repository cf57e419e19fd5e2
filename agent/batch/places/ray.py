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
from agent.batch.node import solve_sent
from agent.batch.place import Done, Job, PlaceOptions, Watch
from agent.batch.solving import begin_job, solve_job
from agent.engine import Happening
from agent.keys import variables
from trajectories.errors import Cancelled, SweAgentError, UsageError, WorkspaceError
from trajectories.journal import decode, first_record, read

OPTIONS = ("address", "cpus", "pass-keys")
NEWS = 1.0
"""Seconds that one question for news takes at most."""
GRACE = 60.0
"""Seconds that a run is given to stop in order."""
GROUPS = {"news": "news", "turn": "turns"}
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

    def solve(self, job: Job, watch: Watch) -> Done:
        """See `Place.solve`. A node that is lost is a WorkspaceError: called again, the run goes on on another."""
        watch.cancel.check()
        begin_job(job)
        record = read(job.directory)
        if record.exit is not None:  # all that was lost is the word that it has ended
            return solve_job(job, watch)
        root = Repository.open(job.repository).root
        base = first_record(record, job.directory).base.commit
        directory = job.directory.resolve()
        sent = Sent(token_hex(16), job.instance.id, job.repeat, directory, root, state_of(root), base)
        hub = self._opened(job)
        keys = variables(job.settings) if self._pass_keys else {}
        self._ask(hub, "open", sent.token, sent.directory, keys)
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
        """The hub, on the driver's machine."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        with self._lock:
            if self._hub is None:
                here = NodeAffinitySchedulingStrategy(self._ray.get_runtime_context().get_node_id(), soft=False)
                groups = {"io": 8, "news": self._workers, "turns": self._workers}
                made = self._ray.remote(num_cpus=0, concurrency_groups=groups, scheduling_strategy=here)(Hub)
                self._hub = made.remote(job.settings.retry_wait, job.settings.patience)
            return self._hub

    def _followed(self, job: Job, watch: Watch, hub: Any, sent: Sent) -> Done:
        task = self._task.remote(sent, hub)
        end = None
        while True:
            news = _call(hub, "news")(sent.token, NEWS)
            self._ray.wait([task, news], num_returns=1, timeout=NEWS)
            over = bool(self._ray.wait([task], timeout=0)[0])
            _show(job, watch, self._got(news))
            if over:
                return cast(Outcome, self._got(task)).result()
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


def _solve(sent: Sent, hub: Any) -> Outcome:
    """The task: what a node does."""
    return solve_sent(sent, cast(Link, _Far(hub)))


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
