"""Structural code search, from coarse to fine, with suspicious lines from failing tests, followed by a patch with
diagnostics after each edit."""

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
MAY_ASK = ("searcher",)
PROMPTS = ("test_then_patch", "search_api")
SOURCE = "AutoCodeRover (arXiv 2404.05427), MarsCode Agent (arXiv 2409.00899)"
WHEN = "tests already fail, or the repository is large and the issue says little about the place"
check_prompts = check_graph


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Search, patch with diagnostics, and prove, as defined in `search_api.graph.txt`."""
    return (yield from run_graph(task))
