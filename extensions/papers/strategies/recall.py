"""Similar problems that the model recalls, whose code is run before they are weighed, and a plan based on the reliable
ones."""

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
MAY_ASK = ("recaller", "weigher", "planner")
PROMPTS = ("test_then_patch", "recall")
SOURCE = "M2WF (arXiv 2501.07892)"
WHEN = "the repository is young or small, and the problem is a common one"
check_prompts = check_graph


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Recall, run, weigh, plan, patch and prove, as defined in `recall.graph.txt`."""
    return (yield from run_graph(task))
