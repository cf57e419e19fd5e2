"""The nodes of a Ray cluster that can run a task."""

from __future__ import annotations

from threading import Lock
from typing import Any

from agent.batch.batch_worker import BatchHalt
from agent.batch.node_messages import RemoteOutcome
from trajectories.errors import UsageError


class Nodes:
    """The usable nodes, with `cpus` processors for a task; nodes that failed as a whole are excluded. Thread-safe."""

    def __init__(self, ray: Any, cpus: float) -> None:
        self._ray, self._cpus = ray, cpus
        self._avoided: frozenset[str] = frozenset()
        self._lock = Lock()
        if not self._able():
            raise UsageError(f"No node of the cluster has {cpus:g} processors.", "Give less: --engine-option cpus=N.")

    def check(self) -> None:
        """Raise BatchHalt if no node can ever run a task."""
        if not self._able():
            what = f"No node of the cluster is left that has {self._cpus:g} processors."
            raise BatchHalt(what, "See `ray status`, then start the batch again.")

    def avoid(self, node: str, outcome: RemoteOutcome) -> None:
        """Exclude the node from further tasks. Raises BatchHalt, with the node's error, if no other node is left."""
        with self._lock:
            self._avoided |= {node}
        if not self._able():
            fix = f"{outcome.fix} The cluster has no other usable node.".strip()
            raise BatchHalt(outcome.message, fix)

    def options(self) -> dict[str, Any]:
        """Return Ray's task options that exclude the failed nodes."""
        avoided = sorted(self._avoided)
        return {"label_selector": {"ray.io/node-id": f"!in({','.join(avoided)})"}} if avoided else {}

    def _able(self) -> set[str]:
        able = (one for one in self._ray.nodes() if one["Alive"] and one["Resources"].get("CPU", 0) >= self._cpus)
        return {one["NodeID"] for one in able} - self._avoided
