"""Recalled problems with their plans, reflection before coding, tests in order of difficulty, and patches that must not
break a test that passed before."""

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
MAY_ASK = ("retriever", "analyst")
PROMPTS = ("test_then_patch", "flow")
SOURCE = "AlphaCodium (arXiv 2401.08500), MapCoder (arXiv 2405.11403), PyCapsule (arXiv 2502.02928)"
WHEN = "the issue has many rules, so that fixing one breaks another"
check_prompts = check_graph


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Recall, reflect, rank solutions, write tests, patch test by test, and prove, as defined in `flow.graph.txt`."""
    return (yield from run_graph(task))
