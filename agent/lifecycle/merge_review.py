"""The review of a run's patch for merging, shown beside the verdict, by the extension `review`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from trajectories.errors import WorkspaceError
from trajectories.facts import Fact
from trajectories.plugins import installed_module, missing_extension
from trajectories.records import Once

if TYPE_CHECKING:
    from agent.engine.branch import Branch
    from agent.run_state.attempt_outcome import Outcome
    from trajectories.trajectory import Trajectory

NAME = "merge review"


def record_review(branch: Branch, outcome: Outcome) -> None:
    """Review the patch of this outcome once, and record the findings. The verdict does not depend on them, nor on
    whether the review succeeds."""

    def review() -> dict[str, Any]:
        module = installed_module("agent.lifecycle.merge_review")
        if module is None:
            return review_data([], [Fact("limit", missing_extension("The review for merging", "review").message)])
        try:
            found: dict[str, Any] = module.review_outcome(branch, outcome)
            return found
        except (WorkspaceError, RecursionError) as error:
            return review_data([], [Fact("limit", f"The patch could not be reviewed: {error}")])

    if outcome.tree != branch.turn.base.tree:
        branch.once(NAME, review)


def recorded_review(trajectory: Trajectory) -> dict[str, Any] | None:
    """Return the recorded review of the current turn: `findings` (kind, path, line, text), `facts`, and their
    words as `notes`."""
    found = [one for one in trajectory.of_turn if isinstance(one, Once) and one.name.endswith(NAME)]
    return found[-1].value if found else None


def review_data(findings: list[dict[str, Any]], facts: Sequence[Fact]) -> dict[str, Any]:
    """Return a review as it is recorded."""
    return {"findings": findings, "notes": [fact.text for fact in facts], "facts": [asdict(fact) for fact in facts]}
