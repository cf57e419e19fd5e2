"""A connection to a Ray cluster and its usable nodes, for what runs on them."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock, current_thread, main_thread
from typing import Any

from agent.installation import extra_advice
from extensions.lab.batch.batch_worker import BatchHalt
from extensions.lab.instances.jobs import ExecutorOptions
from trajectories.errors import SweAgentError, UsageError


class RayCluster:
    """A connection to the cluster at the option `address` (`auto` for the one on this machine). Without it, a cluster
    is started on this machine.

    What runs on a node uses `cpus` of its processors. `names` are the options that the engine knows. Raises UsageError
    if the package is missing, an option is wrong, or no node has so many processors.
    """

    def __init__(self, options: ExecutorOptions, names: Sequence[str]) -> None:
        self.ray = library()
        more = options.more
        if strange := sorted(more.keys() - set(names)):
            raise UsageError(f"Ray has no option {strange[0]}.", f"Its options are {', '.join(names)}.")
        self.cpus = _cpus(more.get("cpus", "1"))
        self._is_own = not self.ray.is_initialized()
        if self._is_own:
            self._connect(more.get("address", "local"), options.workers)
        self.nodes = Nodes(self.ray, self.cpus)

    def close(self) -> None:
        if self._is_own:
            self.ray.shutdown()

    def _connect(self, address: str, workers: int) -> None:
        if address.startswith("ray://"):
            raise UsageError(
                "The driver cannot be a Ray client, because nodes need it on a machine of the cluster.",
                "Start the command on such a machine, with address=auto.",
            )
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
        os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # those of interrupted work
        ours: dict[str, Any] = {}
        if address == "local":
            cpus = max(os.cpu_count() or 1, math.ceil(workers * self.cpus))
            ours = {"num_cpus": cpus, "include_dashboard": False}
        # Ray prints messages from nodes to stdout, which is for results, and has no option to disable that.
        self.ray._private.worker.print_to_stdstream = lambda *_, **__: None
        with _own_signals():
            try:
                self.ray.init(address=address, log_to_driver=False, logging_level="ERROR", **ours)
            except (ConnectionError, RuntimeError, ValueError) as error:
                what = f"No Ray cluster can be reached at {address}: {str(error).partition(chr(10))[0]}"
                fix = "Start one with `ray start --head`, or give no address to start one here."
                raise UsageError(what, fix) from None


class Nodes:
    """The usable nodes, with `cpus` free or busy processors; nodes that failed as a whole are excluded. Thread-safe."""

    def __init__(self, ray: Any, cpus: float) -> None:
        self._ray, self._cpus = ray, cpus
        self._avoided: frozenset[str] = frozenset()
        self._lock = Lock()
        if not self._able():
            raise UsageError(f"No node of the cluster has {cpus:g} processors.", "Give less: --engine-option cpus=N.")

    def check(self) -> None:
        """Raise BatchHalt if no node can ever be used."""
        if not self._able():
            what = f"No node of the cluster is left that has {self._cpus:g} processors."
            raise BatchHalt(what, "See `ray status`, then run the command again.")

    def avoid(self, node: str, message: str, fix: str) -> bool:
        """Exclude the node, and return whether it was not excluded before. Raises BatchHalt, with the node's error, if
        no other node is left."""
        with self._lock:
            is_new = node not in self._avoided
            self._avoided |= {node}
        if not self._able():
            raise BatchHalt(message, f"{fix} The cluster has no other usable node.".strip())
        return is_new

    def options(self) -> dict[str, Any]:
        """Return Ray's options for tasks and actors that exclude the failed nodes."""
        avoided = sorted(self._avoided)
        return {"label_selector": {"ray.io/node-id": f"!in({','.join(avoided)})"}} if avoided else {}

    def _able(self) -> set[str]:
        able = (one for one in self._ray.nodes() if one["Alive"] and one["Resources"].get("CPU", 0) >= self._cpus)
        return {one["NodeID"] for one in able} - self._avoided


def get_result(ray: Any, reference: Any) -> Any:
    """Return the answer of a task or an actor.

    Raises the error of this program that it ended with, or Ray's: RayTaskError if it failed otherwise, ActorDiedError
    if its process is gone, and other RayErrors.
    """
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, SweAgentError):
            raise error.cause from None
        raise


def library() -> Any:
    """Return the package. Raises UsageError if it is not installed."""
    try:
        import ray
    except ImportError:
        what = "--engine ray needs the package ray, which is not installed."
        raise UsageError(what, extra_advice("ray")) from None
    return ray


@contextmanager
def _own_signals() -> Iterator[None]:
    """Restore the SIGTERM handler, which Ray replaces with one that ends the process without stopping the runs."""
    ours = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if current_thread() is main_thread():
            signal.signal(signal.SIGTERM, ours)


def _cpus(given: str) -> float:
    try:
        number = float(given)
    except ValueError:
        number = 0.0
    if not 0 < number < math.inf:
        raise UsageError(
            f"cpus={given} is not a number of processors.", "Give the number for one task, such as cpus=1 or cpus=0.5."
        )
    return number
