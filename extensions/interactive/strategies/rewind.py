"""Rewinds of a session to an earlier prompt: `/rewind 2`, `/rewind 2 files`, `/rewind 2 conversation`, and `/clear`.

The turns stay recorded; `/undo` reverts a rewind. The choice between files and conversation is modelled on Claude Code.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, NamedTuple

from agent.run_state.attempt_outcome import Outcome
from agent.run_state.merge_base import RESTORED
from agent.run_state.rewind import turn_start
from agent.run_state.strategy_traits import is_by_hand
from trajectories.errors import UsageError
from trajectories.verdict import Verdict

if TYPE_CHECKING:
    from agent.engine.task import Task
    from trajectories.records import Step
    from trajectories.trajectory import Trajectory

ROLES = ()
STAYS = BY_HAND = APART = True
AUTHOR = "rewind"
PARTS = ("files", "conversation")
CLEAR = "/clear"
CLEARED = "The conversation is empty now; the files stay. /undo restores the conversation."
FILES_CHANGED = "[The user restored the files to their state before the request {request}. The conversation stays.]"
LONGEST_NAMED = 60


class Prompt(NamedTuple):
    """A request of the user: the index of its turn in the run, and its first line."""

    turn: int
    words: str


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Rewind files, conversation or both to their state before a prompt, or only clear the conversation."""
    trajectory = task.branch.engine.trajectory
    if task.turn.request == CLEAR:
        yield task.branch.rewind(0, task.tree, CLEARED, AUTHOR)
        return Outcome(task.tree, Verdict(), "done")
    prompt, part = parse_rewind(trajectory, task.turn.request)
    start = turn_start(trajectory, prompt.turn)
    number = task.branch.first if part == "files" else start.number
    tree = task.tree if part == "conversation" else start.tree
    if part == "files":
        words = FILES_CHANGED.format(request=prompt.words)
    else:
        words = f"Returned to before {prompt.words}{'; the files stay' if part else ''}. /undo reverts this."
    restored = {} if part == "conversation" else {RESTORED: start.number}
    yield task.branch.rewind(number, tree, words, AUTHOR, told=part == "files", **restored)
    return Outcome(tree, Verdict(), "undone")


def prompts(trajectory: Trajectory) -> list[Prompt]:
    """Return the requests of a run in their order, also those that were undone, without the user's own actions."""
    return [
        Prompt(number, _short(turn.request if number or trajectory.run is None else trajectory.run.issue.title))
        for number, turn in enumerate(trajectory.turns)
        if not is_by_hand(turn.strategy)
    ]


def parse_rewind(trajectory: Trajectory, request: str) -> tuple[Prompt, str]:
    """Return the prompt that `/rewind N [files|conversation]` names, and the part, which is empty for both. Raises
    UsageError."""
    _, number, part, *more = [*request.split(), "", ""]
    known = prompts(trajectory)
    is_number = number.isascii() and number.isdigit()
    if not is_number or not 0 < int(number) <= len(known):
        raise UsageError(f"There is no prompt {number!r}.", f"`/rewind` lists the prompts, from 1 to {len(known)}.")
    if (part and part not in PARTS) or any(more):
        raise UsageError(f"{request!r} cannot be read.", "Write /rewind 2, /rewind 2 files or /rewind 2 conversation.")
    return known[int(number) - 1], part


def _short(request: str) -> str:
    line = " ".join(request.split())
    return f"“{line}”" if len(line) <= LONGEST_NAMED else f"“{line[:LONGEST_NAMED]}…”"
