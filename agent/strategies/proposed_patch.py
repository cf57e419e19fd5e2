"""The proof of a patch that somebody else made, run by `swe-agent prove`."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from agent.phases.user_reproduction import given_tests
from agent.prompts.opening_prompt import likely_sources
from agent.run_state.attempt_outcome import Outcome
from agent.run_state.proposed_tree import proposed_tree
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from agent.engine.task import Task
    from trajectories.records import Step

ROLES = ()


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Put the patch into the workspace, and prove it. Raises UsageError for a run without a proposed patch."""
    tree = proposed_tree(task.branch.engine.trajectory)
    if not tree:
        raise UsageError("This run has no proposed patch.", "Use `swe-agent prove`.")
    yield task.adopt(tree, "The proposed patch.", author="proposal")
    given = yield from given_tests(task)
    verdict = yield from task.prove(given, likely_sources(task.branch))
    return Outcome(task.tree, verdict)
