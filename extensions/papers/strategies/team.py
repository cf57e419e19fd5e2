"""A team that follows a task graph from a file, chosen by the kind of issue: a manager, a custodian, a tester, and a
developer for each independent part of the work, each with its own tools."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from extensions.papers.graph_file import check_graph
from extensions.papers.phase_graph import choose_graph, run_graph

if TYPE_CHECKING:
    from agent.engine.task import Task
    from agent.run_state.attempt_outcome import Outcome
    from trajectories.records import Step

ROLES = ("coder",)
MANAGER = "manager"
MAY_ASK = (MANAGER, "custodian", "tester")
PROMPTS = ("test_then_patch", "team")
SOURCE = "MAGIS (arXiv 2403.17927), CodeR (arXiv 2406.01304), MetaGPT (arXiv 2308.00352)"
WHEN = "the issue has independent parts, or you want your own process: write a graph and pass it with --prompts"
check_prompts = check_graph


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Follow `team.graph.txt`, another `team.<kind>.graph.txt` that the manager chooses, or the user's own graph."""
    return (yield from run_graph(task, (yield from choose_graph(task, MANAGER))))
