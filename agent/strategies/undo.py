"""Undo and redo of a session's turns, in files and conversation: `/undo`, `/undo 2`, `/redo`.

The turns stay recorded; messages after an undo start a new continuation.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from agent.run_state.attempt_outcome import Outcome
from agent.run_state.rewind import AUTHOR, turn_history, undo_count
from trajectories.verdict import Verdict

if TYPE_CHECKING:
    from agent.engine.task import Task
    from trajectories.records import Step

ROLES = ()
STAYS = BY_HAND = APART = True
MOST_NAMED = 60


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Rewind to the state before the last turns, or redo the first undone ones."""
    count = undo_count(task.turn.request)
    known = turn_history(task.branch.engine.trajectory)
    found = (known.done if count > 0 else known.undone)[-abs(count) :]
    if not found:
        nothing = f"There is nothing to {'undo' if count > 0 else 'redo'}."
        yield task.branch.rewind(task.branch.first, task.tree, nothing, AUTHOR)
        return Outcome(task.tree, Verdict(), "done")
    mark = found[0].before if count > 0 else found[0].after
    named = ", ".join(_short(doing.request) for doing in reversed(found))
    words = f"{'Undone' if count > 0 else 'Redone'}: {named}."
    yield task.branch.rewind(mark.number, mark.tree, words, AUTHOR, turns=len(found) if count > 0 else -len(found))
    return Outcome(task.tree, Verdict(), "undone")


def _short(request: str) -> str:
    line = " ".join(request.split())
    return f"“{line}”" if len(line) <= MOST_NAMED else f"“{line[:MOST_NAMED]}…”"
