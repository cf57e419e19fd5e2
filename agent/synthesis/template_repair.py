"""Whether repair by templates solves a task, as a measure of its difficulty."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

from agent.repair.repair_search import RepairTask, search
from trajectories.errors import UsageError, WorkspaceError

CPU_SECONDS = 60.0
PROOFS = 4
"""Maximum number of plausible edits with different behaviour that are checked with all tests, as in the strategy."""


def is_repaired_by_templates(task: RepairTask, passes: Callable[[], bool], cancel: Event) -> bool:
    """Return whether an edit that the search finds in 60 CPU seconds passes all tests.

    `passes` runs them in the workspace, which holds the planted tree before and another tree after the call. Raises
    Cancelled.
    """
    try:
        found = search(task, CPU_SECONDS, cancel)
    except (UsageError, WorkspaceError):  # the tests cannot be run in one process, or an edit breaks the workspace
        return False
    for behaviour in found.choice.behaviours[:PROOFS]:
        edited = {behaviour.candidate.path: found.new_data(behaviour.candidate)}
        task.workspace.restore(task.trees.write(edited, task.tree))
        if passes():
            return True
    return False
