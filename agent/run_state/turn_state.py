"""The state of a turn: the tree at its start, its present tree, and what was submitted, derived from the records."""

from __future__ import annotations

from collections.abc import Sequence

from trajectories.records import Exit, Issue, Record, Step, Turn
from trajectories.trajectory import Trajectory

MAIN = "main"
HOST = "host"
"""The author of the step that merges the user's changes, and the name of its data."""
FIRST = frozenset({HOST, "turn", "user", "resume"})
"""The authors of steps that may come at the start of a turn, before the steps of its strategy."""


def turn_start_tree(trajectory: Trajectory, base: str) -> str:
    """Return the tree at the start of the present turn."""
    return tree_at(trajectory, trajectory.turns_at[-1] if len(trajectory.turns) > 1 else 0, base)


def tree_at(trajectory: Trajectory, end: int, base: str) -> str:
    """Return the session's tree before record number `end`."""
    for at in range(end - 1, -1, -1):
        record = trajectory.records[at]
        if isinstance(record, Exit) or (isinstance(record, Step) and record.branch == MAIN):
            return record.tree
    return base


def current_tree(trajectory: Trajectory, base: str) -> str:
    """Return the present tree of the present turn."""
    for record in reversed(trajectory.of_turn):
        if isinstance(record, Step) and record.branch == MAIN:
            return record.tree
    return turn_start_tree(trajectory, base)


def turn_base_tree(trajectory: Trajectory, base: str) -> str:
    """Return the tree at the start of the present turn's own work, with the user's changes merged."""
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
    return Issue(title.strip(), body.strip(), images=turn.images)


def submission_field(records: Sequence[Record], name: str) -> str:
    """Return this field of the last submission: on the main branch, else on a branch with the main branch's final
    files, else on any branch.

    "" if there is none.
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
