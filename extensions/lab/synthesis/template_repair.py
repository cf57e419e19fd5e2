"""Whether repair by templates solves a task, as a measure of its difficulty."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Any

from trajectories.errors import UsageError, WorkspaceError
from trajectories.plugins import extension_module

CPU_SECONDS = 60.0
PROOFS = 4
"""Maximum number of plausible edits with different behaviour that are checked with all tests, as in the strategy."""


def repair_search() -> Any:
    """Return the module of the extension that searches for edits. Raises UsageError if it is not installed."""
    return extension_module("extensions.lab.repair_search", "Repair by templates", "repair")


def is_repaired_by_templates(task: Any, passes: Callable[[], bool], cancel: Event) -> bool:
    """Return whether an edit that the search finds for a RepairTask in 60 CPU seconds passes all tests.

    `passes` runs them in the workspace, which holds the planted tree before and another tree after the call. Raises
    Cancelled.
    """
    try:
        found = repair_search().search(task, CPU_SECONDS, cancel)
    except (UsageError, WorkspaceError):  # the tests cannot be run in one process, or an edit breaks the workspace
        return False
    for behaviour in found.choice.behaviours[:PROOFS]:
        edited = {behaviour.candidate.path: found.new_data(behaviour.candidate)}
        task.workspace.restore(task.trees.write(edited, task.tree))
        if passes():
            return True
    return False
