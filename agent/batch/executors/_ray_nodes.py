"""The nodes of a Ray cluster that may take a task."""

from __future__ import annotations

from threading import Lock
from typing import Any

from agent.batch.attempt import Outcome
from agent.batch.working import Halt
from trajectories.errors import UsageError


class Nodes:
    """A task takes `cpus` processors. Nodes that have failed as a whole get none. Safe to share between threads."""

    def __init__(self, ray: Any, cpus: float) -> None:
        self._ray, self._cpus = ray, cpus
        self._avoided: frozenset[str] = frozenset()
        self._lock = Lock()
        if not self._able():
            raise UsageError(f"No node of the cluster has {cpus:g} processors.", "Give less: --engine-option cpus=N.")

    def check(self) -> None:
        """Raises Halt where none can take a task, however long it waits."""
        if not self._able():
            what = f"No node of the cluster is left that has {self._cpus:g} processors."
            raise Halt(what, "See `ray status`, then start the batch again.")

    def avoid(self, node: str, outcome: Outcome) -> None:
        """Give the node no more tasks. Raises Halt, with what the node failed with, where no other is there."""
        with self._lock:
            self._avoided |= {node}
        if not self._able():
            fix = f"{outcome.fix} No other node of the cluster can solve anything.".strip()
            raise Halt(outcome.message, fix)

    def options(self) -> dict[str, Any]:
        """How a task is told where it may go."""
        avoided = sorted(self._avoided)
        return {"label_selector": {"ray.io/node-id": f"!in({','.join(avoided)})"}} if avoided else {}

    def _able(self) -> set[str]:
        able = (one for one in self._ray.nodes() if one["Alive"] and one["Resources"].get("CPU", 0) >= self._cpus)
        return {one["NodeID"] for one in able} - self._avoided
