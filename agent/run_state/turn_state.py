"""Which tree a turn began with, which it has come to, and what was said of that: read off the records."""

from __future__ import annotations

from collections.abc import Sequence

from trajectories.records import Exit, Issue, Record, Step, Turn
from trajectories.trajectory import Trajectory

MAIN = "main"
HOST = "host"
"""Author of the step that takes over what the user changed meanwhile, and the name of its data."""
FIRST = frozenset({HOST, "turn", "user", "resume"})
"""Authors of the steps that a turn may begin with, before its strategy's own."""


def started_at(trajectory: Trajectory, base: str) -> str:
    """The tree that the present turn began with."""
    return tree_at(trajectory, trajectory.turns_at[-1] if len(trajectory.turns) > 1 else 0, base)


def tree_at(trajectory: Trajectory, end: int, base: str) -> str:
    """The session's files before record number `end`."""
    for at in range(end - 1, -1, -1):
        record = trajectory.records[at]
        if isinstance(record, Exit) or (isinstance(record, Step) and record.branch == MAIN):
            return record.tree
    return base


def stands_at(trajectory: Trajectory, base: str) -> str:
    """The tree that the present turn has come to."""
    for record in reversed(trajectory.of_turn):
        if isinstance(record, Step) and record.branch == MAIN:
            return record.tree
    return started_at(trajectory, base)


def began_at(trajectory: Trajectory, base: str) -> str:
    """The tree that the present turn's own work began with: what the user changed meanwhile is in it."""
    for record in trajectory.of_turn:
        if isinstance(record, Step) and record.branch == MAIN:
            if record.author == HOST:
                return record.tree
            if record.author not in FIRST:
                break
    return started_at(trajectory, base)


def in_words_of(turn: Turn) -> Issue:
    """What a later turn asks for, as an issue."""
    title, _, body = turn.request.strip().partition("\n")
    return Issue(title.strip(), body.strip(), images=turn.images)


def handed_in(records: Sequence[Record], name: str) -> str:
    """What the last submit says under that name: on the main branch, else on one that came to the files which the main
    one ended with, else on any. "" where nobody said it."""
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
