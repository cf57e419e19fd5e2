"""A team that follows a task graph from a file: a manager, a custodian, a developer and a tester, each with its own
tools."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from agent.phases.phase_graph import check_graph, run_graph

if TYPE_CHECKING:
    from agent.engine.task import Task
    from agent.run_state.attempt_outcome import Outcome
    from trajectories.records import Step

ROLES = ("coder",)
MAY_ASK = ("manager", "custodian", "tester")
PROMPTS = ("test_then_patch", "team")
SOURCE = "MAGIS (arXiv 2403.17927), CodeR (arXiv 2406.01304), MetaGPT (arXiv 2308.00352)"
WHEN = "you want your own process: write a graph and pass it with --prompts"
check_prompts = check_graph


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Follow `team.graph.txt`, or the user's own graph."""
    return (yield from run_graph(task))
