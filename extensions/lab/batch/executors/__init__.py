"""Executors, which run the jobs of a batch: one module each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from trajectories.plugins import find

if TYPE_CHECKING:
    from extensions.lab.instances.jobs import Executor, ExecutorOptions


def open_executor(kind: str, options: ExecutorOptions) -> Executor:
    """Open the executor named `kind` (a plugin). Raises UsageError for an unknown kind."""
    opener: Callable[[ExecutorOptions], Executor] = find("extensions.lab.batch.executors", kind, "open", "engine")
    return opener(options)
