"""The proof of a patch that somebody else made, and a model's remarks on it, run by `swe-agent review --model`."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from agent.engine.proof_step import verdict_text
from agent.lifecycle.merge_review import record_review, recorded_review
from agent.phases.proposed_proof import prove_proposal
from extensions.review.model_remarks import BRANCH, UNREAD, reading_request
from trajectories.errors import Cancelled, ModelError, Refused, Stop

if TYPE_CHECKING:
    from agent.engine.task import Task
    from agent.run_state.attempt_outcome import Outcome
    from trajectories.records import Step

ROLES = ("coder",)
PROVES = True


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Prove the proposed patch, then ask once for remarks on it. If a limit or the model's failure prevents that, the
    review is what was measured. Raises what `prove_proposal` raises, and ModelError that a later try may avoid."""
    outcome = yield from prove_proposal(task)
    base = task.turn.base.tree
    if task.tree == base:
        return outcome
    record_review(task.branch, outcome)
    review = recorded_review(task.branch.engine.trajectory) or {}
    facts = [verdict_text(outcome.verdict, whole=True)]
    facts += [f"- {one['path']}:{one['line']} {one['kind']}: {one['text']}" for one in review.get("findings", ())]
    facts += [f"- {note}" for note in review.get("notes", ())]
    branch = task.branch.beside(BRANCH)
    branch.say(reading_request(task.turn.issue, task.trees.diff(base, task.tree), "\n".join(facts)))
    try:
        yield branch.step(branch.ask(tools=False), ())
    except Cancelled:
        raise
    except (Stop, ModelError) as error:
        if isinstance(error, Refused) or (isinstance(error, ModelError) and error.retryable):
            raise
        task.note(UNREAD, f"The model did not read the patch: {error.message}")
    return outcome
