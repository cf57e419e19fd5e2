"""Retrieval from the repository's history: fixes, earlier runs, and paths that lead through issues, pull requests and
commits to places in the code; all are weighed before use."""

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
MAY_ASK = ("librarian",)
PROMPTS = ("test_then_patch", "retrieve")
SOURCE = (
    "InferFix (arXiv 2303.07263), RAP-Gen (arXiv 2309.06057), KGCompass (arXiv 2503.21710), "
    "ExpeRepair (arXiv 2506.10484), SWE-Exp (arXiv 2507.23361)"
)
WHEN = (
    "the repository has a long history, in which the same kinds of faults are fixed again and again; "
    "its paths to places are experimental"
)
check_prompts = check_graph


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Retrieve, weigh, patch and prove, and weigh failures against the history, as defined in `retrieve.graph.txt`."""
    return (yield from run_graph(task))
