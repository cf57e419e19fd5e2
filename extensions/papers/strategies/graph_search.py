"""A tree search over the code graph before any change: a role rates the places that it reaches, and the best ones open
the work."""

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
MAY_ASK = ("rater",)
PROMPTS = ("test_then_patch", "graph_search")
SOURCE = "LingmaAgent (arXiv 2406.01422)"
WHEN = "experimental: the fault may be a few calls or classes away from the symptom that the issue describes"
check_prompts = check_graph


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Search, patch and prove, as defined in `graph_search.graph.txt`."""
    return (yield from run_graph(task))
