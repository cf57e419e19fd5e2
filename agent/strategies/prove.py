"""The full proof of a session's changes against the user's original files, run by `/prove`.

The session's new tests must reproduce the issue.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from agent.run_state.attempt_outcome import Outcome

if TYPE_CHECKING:
    from agent.engine.task import Task
    from trajectories.records import Step

ROLES = ()
STAYS = BY_HAND = LOOKS = True


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Prove the current tree, regardless of which turns changed it."""
    verdict = yield from task.prove(whole=True, fitted=_is_fitted(task))
    return Outcome(task.tree, verdict)


def _is_fitted(task: Task) -> bool:
    """Whether a search fitted the current tree to the tests, as an earlier proof of it recorded."""
    proofs = [step for step in task.branch.steps if step.author == "proof" and step.tree == task.tree]
    return any(seen.data.get("asked", {}).get("fitted") is True for step in proofs for seen in step.observations)
