"""A command of the user's own in the workspace: `!make`, or tests with `/test`. The model reads at its next ask what
was run and what came of it."""

from __future__ import annotations

import shlex
from collections.abc import Generator
from typing import TYPE_CHECKING

from agent.outcome import Outcome
from agent.scope import Scope
from trajectories.errors import UsageError
from trajectories.material import HAND
from trajectories.records import Action, Verdict

if TYPE_CHECKING:
    from agent.task import Task
    from trajectories.records import Step

ROLES = ()
STAYS = BY_HAND = LOOKS = True
LONGEST = 3600
"""Seconds; whoever sits there can interrupt it."""


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Run it, in the user's name."""
    task.by_hand, task.scope = True, Scope()
    actions = (_action(task, task.words),)
    yield task.step(None, task.act(actions), actions, author=HAND)
    return Outcome(task.tree, Verdict(), "done")


def _action(task: Task, words: str) -> Action:
    """`!command` is for the shell, `/test TESTS` names tests: all if nothing is named."""
    if words.startswith("!"):
        return Action("shell", {"command": words[1:].strip(), "timeout": LONGEST})
    words = words.removeprefix("/test")
    try:
        nodes = shlex.split(words)
    except ValueError as error:
        raise UsageError(f"{words!r} names no tests: {error}.", "Name files, folders or tests.") from None
    nodes = nodes or [task.settings.subtree] * bool(task.settings.subtree)
    return Action("run_tests", {"nodes": nodes, "timeout": min(LONGEST, int(task.settings.test_timeout))})
