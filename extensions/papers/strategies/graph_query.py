"""Searches of the code graph, said in words and translated into SQL, which a model refines until it has found the
places to change; these are ranked before their code is read."""

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
MAY_ASK = ("rewriter", "translator", "reranker")
PROMPTS = ("test_then_patch", "graph_query")
SOURCE = "CodexGraph (arXiv 2408.03910), CGM (arXiv 2505.16901)"
WHEN = "the fault is far from what the issue names: in a base class, or along a chain of calls"
check_prompts = check_graph


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Query, rank, read and patch, and prove, as defined in `graph_query.graph.txt`."""
    return (yield from run_graph(task))
