"""Scores of steps and attempts: from measurements, and from a critic that reads them.

The scoring of steps by progress and by a model's judgement is based on SWE-Search (arXiv 2410.20285).
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from aci.observation.untrusted_text import quote_text
from agent.candidates.role_questions import Question, ask_roles, parse_score
from agent.prompts.quotation import framed_issue

if TYPE_CHECKING:
    from agent.engine.task import Task
    from trajectories.records import Step
    from trajectories.verdict import Verdict

ROLE = "critic"
MOST_DONE, MOST_DIFF = 3_000, 4_000
"""Maximum number of characters of the last actions, and of the diff, that a critic sees."""
VERIFIED, GREEN, KEPT, LOST = 1.0, 0.8, 0.4, 0.1
"""Scores for the possible results of a proof."""


def proof_score(verdict: Verdict) -> float:
    """Return the score of a proven tree, between 0 and 1."""
    if verdict.complete:
        return VERIFIED
    if verdict.no_loss is False:
        return LOST
    return GREEN if verdict.red and verdict.green else KEPT


def critic_score(task: Task, name: str, done: str, advice: str = "") -> Generator[Step, None, tuple[float | None, str]]:
    """Return a critic's score of the last actions, between 0 and 1, and its reason; the score is None if the reply
    contains none. `advice` is added to the question."""
    diff = task.trees.diff(task.turn.base.tree, task.tree)
    parts = (
        framed_issue(task.turn.issue),
        f"The last actions:\n{quote_text(done[:MOST_DONE])}",
        f"The change so far:\n{quote_text(diff[:MOST_DIFF]) or 'none'}",
        advice,
        "How likely is it that this leads to a correct patch? End with a line that contains only a number from 0 to 1.",
    )
    [said] = yield from ask_roles(task, [Question(name, ROLE, "\n\n".join(filter(None, parts)))])
    reason = " ".join(" ".join(said.strip().splitlines()[:-1]).split())
    return parse_score(said), reason[:500]
