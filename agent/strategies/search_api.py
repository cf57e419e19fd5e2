"""Context by searching the code's structure, coarse to fine, with the lines that failing tests suspect; then a patch
whose every edit is checked."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from agent.moves.phases import follow

if TYPE_CHECKING:
    from agent.outcome import Outcome
    from agent.task import Task
    from trajectories.records import Step

ROLES = ("coder",)
MAY_ASK = ("searcher",)
PROMPTS = ("test_then_patch", "search_api")
SOURCE = "AutoCodeRover (arXiv 2404.05427), MarsCode Agent (arXiv 2409.00899)"
WHEN = "tests fail already, or the repository is large and its issue says little of where"


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Search, patch with diagnostics, prove: `search_api.graph.txt`."""
    return (yield from follow(task))
