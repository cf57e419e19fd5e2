"""The input of a turn, and its state, derived from the records: first tree, current tree, submission.

A follow-up starts from a recorded commit: the head of the pull request or of the branch whose CI failed. It is one turn
of a run, and the turn that proves its changes. Later turns, of a session, use the user's files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trajectories.records import Base, Exit, Issue, Note, Record, Run, Step, Turn
from trajectories.trajectory import Trajectory

if TYPE_CHECKING:
    from agent.config.settings import Settings


@dataclass(frozen=True, slots=True)
class TurnInput:
    """What the user asked for in a turn, and what the turn starts from."""

    issue: Issue
    """The request, as an issue."""
    request: str
    """The request as the user typed it."""
    base: Base
    """The base against which the turn's changes are shown and proven."""
    strategy: str
    prompts: Mapping[str, str]
    """The strategy's prompts by name."""
    settings: Settings
    is_later: bool
    """Whether there were turns before this one."""


def current_turn_input(run: Run, trajectory: Trajectory, settings: Settings) -> TurnInput:
    """Return the input of the current turn."""
    turn, is_later = trajectory.turns[-1], len(trajectory.turns) > 1
    return TurnInput(
        issue=turn_issue(turn) if is_later else run.issue,
        request=turn.request if is_later else run.issue.text,
        base=replace(run.base, tree=turn_base_tree(trajectory, run.base.tree)) if is_later else run.base,
        strategy=turn.strategy,
        prompts=turn.prompts or run.prompts,
        settings=settings,
        is_later=is_later,
    )


MAIN = "main"
HOST = "host"
"""The author of steps that merge the user's changes, and the key of these steps' data."""
FIRST = frozenset({HOST, "turn", "user", "resume"})
"""The authors of steps that may come at the start of a turn, before the steps of its strategy."""


def turn_start_tree(trajectory: Trajectory, base: str) -> str:
    """Return the tree at the start of the current turn."""
    return tree_at(trajectory, trajectory.turns_at[-1] if len(trajectory.turns) > 1 else 0, base)


def tree_at(trajectory: Trajectory, end: int, base: str) -> str:
    """Return the session's tree as it was before record number `end`."""
    for at in range(end - 1, -1, -1):
        record = trajectory.records[at]
        if isinstance(record, Exit) or (isinstance(record, Step) and record.branch == MAIN):
            return record.tree
    return base


def current_tree(trajectory: Trajectory, base: str) -> str:
    """Return the latest tree of the current turn."""
    for record in reversed(trajectory.of_turn):
        if isinstance(record, Step) and record.branch == MAIN:
            return record.tree
    return turn_start_tree(trajectory, base)


def turn_base_tree(trajectory: Trajectory, base: str) -> str:
    """Return the tree with which the current turn's own work started, after the user's changes were merged."""
    for record in trajectory.of_turn:
        if isinstance(record, Step) and record.branch == MAIN:
            if record.author == HOST:
                return record.tree
            if record.author not in FIRST:
                break
    return turn_start_tree(trajectory, base)


def turn_issue(turn: Turn) -> Issue:
    """Return a later turn's request as an issue."""
    title, _, body = turn.request.strip().partition("\n")
    return Issue(title.strip(), body.strip(), images=turn.images, attachments=turn.attachments)


def submission_field(records: Sequence[Record], name: str) -> str:
    """Return this field of the last submission: on the main branch, otherwise on a branch with the main branch's final
    files, otherwise on any branch.

    Returns "" if there is no such submission.
    """
    steps = [record for record in records if isinstance(record, Step)]
    ends = [step.tree for step in steps if step.branch == MAIN][-1:]
    taken = {step.branch for step in steps if step.tree in ends}
    said = [
        (step.branch == MAIN, step.branch in taken, number, str(seen.data[name]))
        for number, step in enumerate(steps)
        for seen in step.observations
        if seen.data.get("submitted") and seen.data.get(name)
    ]
    return max(said)[-1] if said else ""


TASK_AUTHOR = "task"
"""The author of a strategy's messages to its model."""
EXAMINER_BRANCH = f"{MAIN}/examiner"
"""The branch of the examiner of the main branch."""
CHALLENGER_BRANCH = f"{MAIN}/challenger"
"""The branch of the challenger of the main branch."""
EXAMINER_RECORDS = (
    "blind tests",
    "blind test results",
    "blind test results of the revised patch",
    "corrected test results",
    "challenge results",
)
"""Names under which a run records the hash of the examiner's tests, what they did, what they did with a revised patch,
what corrected versions of existing tests did, and what the tests of a challenger did."""


HEAD = "head_commit"
"""Key in the data of the note before a follow-up's turn."""
BUILD, PROVE = "build", "prove"
"""The strategies of a follow-up's two turns."""


def follow_up_head(trajectory: Trajectory) -> str:
    """Return the commit that the current turn follows up, or "" if it is no turn of a follow-up."""
    later: list[Turn] = []
    for record in reversed(trajectory.records):
        if isinstance(record, Turn):
            later.append(record)
        elif isinstance(record, Note) and HEAD in record.data:
            is_current = len(later) <= 2 and all(turn.strategy == PROVE for turn in later[:-1])
            return str(record.data[HEAD]) if is_current else ""
    return ""
