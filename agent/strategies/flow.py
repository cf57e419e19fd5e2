"""Reflection before code, tests from easy to hard, and patches that may not break a test that has passed."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from agent.moves.phases import follow

if TYPE_CHECKING:
    from agent.outcome import Outcome
    from agent.task import Task
    from trajectories.records import Step

ROLES = ("coder",)
MAY_ASK = ("analyst",)
PROMPTS = ("test_then_patch", "flow")
SOURCE = "AlphaCodium (arXiv 2401.08500), MapCoder (arXiv 2405.11403), PyCapsule (arXiv 2502.02928)"
WHEN = "what is asked for has many rules, so that mending one breaks another"


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Reflect, rank ways, write tests, patch from test to test, prove: `flow.graph.txt`."""
    return (yield from follow(task))
