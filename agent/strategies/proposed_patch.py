"""The proof of a patch that somebody else made, run by `swe-agent prove`."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from agent.phases.proposed_proof import prove_proposal

if TYPE_CHECKING:
    from agent.engine.task import Task
    from agent.run_state.attempt_outcome import Outcome
    from trajectories.records import Step

ROLES = ()
PROVES = True


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Prove the proposed patch; no model is asked. Raises what `prove_proposal` raises."""
    return (yield from prove_proposal(task))
