"""Inferred specifications: the intent of each suspicious function, against which a reviewer judges the patch and the
test."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from extensions.papers.graph_file import check_graph
from extensions.papers.phase_graph import run_graph

if TYPE_CHECKING:
    from agent.engine.task import Task
    from agent.run_state.attempt_outcome import Outcome
    from trajectories.records import Step

ROLES = ("coder",)
MAY_ASK = ("analyst", "reviewer")
PROMPTS = ("test_then_patch", "spec")
SOURCE = "SpecRover (arXiv 2408.02232), SemAgent (arXiv 2506.16650)"
WHEN = "the issue gives one example of many, or describes the symptom and not the correct behaviour"
check_prompts = check_graph


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Infer, generalise, patch, prove and review, as defined in `spec.graph.txt`."""
    return (yield from run_graph(task))
