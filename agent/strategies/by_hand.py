"""A command that the user runs in the workspace: `!make`, or tests with `/test`.

The model sees the command and its result in its next request.
"""

from __future__ import annotations

import shlex
from collections.abc import Generator
from typing import TYPE_CHECKING

from agent.engine.permission_checks import Scope
from agent.run_state.attempt_outcome import Outcome
from trajectories.errors import UsageError
from trajectories.records import Action
from trajectories.trajectory import HAND
from trajectories.verdict import Verdict

if TYPE_CHECKING:
    from agent.engine.task import Task
    from trajectories.records import Step

ROLES = ()
STAYS = BY_HAND = LOOKS = True
LONGEST = 3600
"""Time limit in seconds; the user can interrupt the command."""


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Run the user's command. Raises Cancelled if the user interrupted it, after the step with its output so far."""
    task.branch.by_hand, task.branch.scope = True, Scope()
    actions = (_action(task, task.turn.request),)
    yield task.step(None, task.act(actions), actions, author=HAND)
    task.branch.cancel.check()
    return Outcome(task.tree, Verdict(), "done")


def _action(task: Task, words: str) -> Action:
    """Return the action: `!command` runs in the shell, and `/test TESTS` runs these tests, or all tests if none is
    named."""
    if words.startswith("!"):
        return Action("shell", {"command": words[1:].strip(), "timeout": LONGEST})
    words = words.removeprefix("/test")
    try:
        nodes = shlex.split(words)
    except ValueError as error:
        raise UsageError(f"{words!r} names no tests: {error}.", "Name files, folders or tests.") from None
    nodes = nodes or [task.turn.settings.subtree] * bool(task.turn.settings.subtree)
    return Action("run_tests", {"nodes": nodes, "timeout": min(LONGEST, int(task.turn.settings.test_timeout))})
