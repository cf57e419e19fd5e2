"""Fixes, earlier runs and ways over commits to places, of the repository's past; weighed first, then worked with."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from agent.moves.phases import follow

if TYPE_CHECKING:
    from agent.outcome import Outcome
    from agent.task import Task
    from trajectories.records import Step

ROLES = ("coder",)
MAY_ASK = ("librarian",)
PROMPTS = ("test_then_patch", "retrieve")
SOURCE = (
    "InferFix (arXiv 2303.07263), RAP-Gen (arXiv 2309.06057), KGCompass (arXiv 2503.21710), "
    "ExpeRepair (arXiv 2506.10484), SWE-Exp (arXiv 2507.23361)"
)
WHEN = "the repository has a long history, and mends the same kind of fault again and again"


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Retrieve, weigh, patch, prove; what failed is weighed against the past: `retrieve.graph.txt`."""
    return (yield from follow(task))
