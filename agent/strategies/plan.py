"""A turn of a session that only reads: it answers with a plan, an explanation, or what is unclear. After OpenCode's
plan mode."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from agent.loop import answered, loop
from agent.moves.asked import asked
from agent.outcome import Outcome
from agent.scope import Scope
from trajectories.records import Verdict

if TYPE_CHECKING:
    from agent.task import Task
    from trajectories.records import Step

ROLES = ("coder",)
STAYS = True
PROMPTS = "build"
"""Whose prompts these are: with the same words first, a session that changes its mode stays in the provider's cache."""
READ_ONLY = "[Plan mode: read and run what you like; changes to files are refused. Answer in words.]"


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Ask, act without changing anything, until the model answers."""
    task.scope = Scope(nothing=True)
    yield task.say(f"{asked(task)}\n\n{READ_ONLY}")
    yield from loop(task, answered, nudge=())
    return Outcome(task.tree, Verdict(), "answered")
