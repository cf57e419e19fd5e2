"""Turns of a session taken back, in files and conversation, and brought again: `/undo`, `/undo 2`, `/redo`. They stay
on the record; what is said after an undo begins anew from there."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from agent.outcome import Outcome
from agent.undoing import AUTHOR, past, wanted
from trajectories.records import Verdict

if TYPE_CHECKING:
    from agent.task import Task
    from trajectories.records import Step

ROLES = ()
STAYS = BY_HAND = APART = True
MOST_NAMED = 60


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Go to before the last turns not yet undone, or to behind the first that were."""
    count = wanted(task.words)
    known = past(task.engine.trajectory)
    found = (known.done if count > 0 else known.undone)[-abs(count) :]
    if not found:
        nothing = f"There is nothing to {'undo' if count > 0 else 'redo'}."
        yield task.rewind(task.first, task.tree, nothing, AUTHOR)
        return Outcome(task.tree, Verdict(), "done")
    mark = found[0].before if count > 0 else found[0].after
    named = ", ".join(_short(doing.request) for doing in reversed(found))
    words = f"{'Undone' if count > 0 else 'Done again'}: {named}."
    yield task.rewind(mark.number, mark.tree, words, AUTHOR, turns=len(found) if count > 0 else -len(found))
    return Outcome(task.tree, Verdict(), "undone")


def _short(request: str) -> str:
    line = " ".join(request.split())
    return f"“{line}”" if len(line) <= MOST_NAMED else f"“{line[:MOST_NAMED]}…”"
