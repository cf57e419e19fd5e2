"""Several localizations, fused by rank: by the issue alone, by the code graph, by past fixes, and one without a model;
the places on which they agree open the work."""

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
MAY_ASK = ("localizer", "navigator", "historian")
PROMPTS = ("test_then_patch", "rank_fusion")
SOURCE = "Nemotron-CORTEXA (ICML 2025)"
WHEN = "experimental: the place is hard to find, and several models can be asked for it"
check_prompts = check_graph


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Localize, fuse, patch and prove, as defined in `rank_fusion.graph.txt`."""
    return (yield from run_graph(task))
