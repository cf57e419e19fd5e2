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
    verdict = yield from task.prove(whole=True)
    return Outcome(task.tree, verdict)
