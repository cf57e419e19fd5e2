"""What a step or an attempt is worth: by what was measured of it, and by a critic who reads it.

The value of a step by progress and by a model's judgement is SWE-Search's (arXiv 2410.20285).
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from agent.moves.framing import framed, framed_issue
from agent.moves.voices import Question, share_of, voices

if TYPE_CHECKING:
    from agent.task import Task
    from trajectories.records import Step, Verdict

ROLE = "critic"
MOST_DONE, MOST_DIFF = 3_000, 4_000
"""Characters that a critic is shown of what was done, and of the change so far."""
VERIFIED, GREEN, KEPT, LOST = 1.0, 0.8, 0.4, 0.1
"""What a proof is worth."""


def worth(verdict: Verdict) -> float:
    """Of a tree that was proven, between 0 and 1."""
    if verdict.verified:
        return VERIFIED
    if verdict.no_loss is False:
        return LOST
    return GREEN if verdict.red and verdict.green else KEPT


def criticised(task: Task, name: str, done: str) -> Generator[Step, None, tuple[float | None, str]]:
    """What a critic gives what was done, between 0 and 1, and why; None where none can be had, or gives no number."""
    diff = task.trees.diff(task.base.tree, task.tree)
    parts = (
        framed_issue(task.issue),
        f"What was done last:\n{framed(done[:MOST_DONE])}",
        f"The change so far:\n{framed(diff[:MOST_DIFF]) or 'none'}",
        "How likely does this lead to a right patch? End with a line that holds a number from 0 to 1.",
    )
    [said] = yield from voices(task, [Question(name, ROLE, "\n\n".join(parts))])
    reason = " ".join(" ".join(said.strip().splitlines()[:-1]).split())
    return share_of(said), reason[:500]
