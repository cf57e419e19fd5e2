"""What the session and its user both have: the base of every merge between them, read off the records alone.

It begins as the run's base. What is applied goes over to the user, and is then in both; what the user changed meanwhile
goes over to the session (a step of author `host`). A user who goes back to an earlier step takes the session's files
back, and with them what of the user's own was in them; what was applied is still there, so it stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aci.merging import merge
from agent.backtrack import rewinds
from agent.standing import HOST, MAIN, tree_at
from trajectories.records import Note, Step
from trajectories.trajectory import Trajectory
from trajectories.trees import Trees

EFFECT, MOVED, FAILED = "effect", "moved", "failed"
"""Names in the data of a `done` note: what was done; the tree both had and the one both have since; that it failed."""
UNDONE = "turns"
"""In the data of a step that goes back: how many turns. One without leaves the files as they are."""


@dataclass(frozen=True, slots=True)
class Open:
    """Files that user and session changed in one place: `seen` is the user's tree, `ours` the session's then."""

    paths: tuple[str, ...]
    seen: str
    ours: str


@dataclass(slots=True)
class Synced:
    """`tree` is what both have; `open` are conflicts in which the session has not changed its file since."""

    tree: str
    open: tuple[Open, ...] = ()


@dataclass(slots=True)
class _Walk:
    trees: Trees
    now: Synced
    at: dict[int, Synced] = field(default_factory=dict)
    moves: list[tuple[int, str, str]] = field(default_factory=list)
    last: int = 0

    def step(self, step: Step) -> None:
        if host := host_of(step):
            kept = tuple(each for each in self.now.open if not set(each.paths) & set(host["changed"]))
            new = Open(tuple(host["conflicts"]), host["seen"], step.tree)
            self.now = Synced(host["synced"], (*kept, new) if new.paths else kept)
        elif (number := rewinds(step)) is not None and any(UNDONE in seen.data for seen in step.observations):
            before = self.at[number]
            self.now = Synced(before.tree, before.open)
            for at, old, new_tree in self.moves:
                if at >= number:
                    self.now.tree = merge(self.trees, old, self.now.tree, new_tree).tree
        else:
            self._settle(step.tree)
        self.last = step.n
        self.at[step.n] = self.now

    def move(self, old: str, new: str) -> None:
        """Something went over to the user, or came back."""
        self.moves.append((self.last, old, new))
        self.now = Synced(merge(self.trees, old, self.now.tree, new).tree, self.now.open)

    def _settle(self, tree: str) -> None:
        """A file that the session changed since it was told what the user did to it: it has been worked in."""
        if not self.now.open:
            return
        synced, left = self.now.tree, []
        for each in self.now.open:
            changed = {change.path for change in self.trees.changed(each.ours, tree)}
            if done := [path for path in each.paths if path in changed]:
                synced = self.trees.overlay(synced, each.seen, done)
            if rest := tuple(path for path in each.paths if path not in changed):
                left.append(Open(rest, each.seen, each.ours))
        self.now = Synced(synced, tuple(left))


def synced(trees: Trees, trajectory: Trajectory, base: str) -> Synced:
    """How the two stand to each other after all that is on the record. `base` is the run's tree."""
    walk = _Walk(trees, Synced(base), {0: Synced(base)})
    for record in list(trajectory.records):
        if isinstance(record, Step) and record.branch == MAIN:
            walk.step(record)
        elif isinstance(record, Note) and record.kind == "done" and MOVED in record.data:
            walk.move(*record.data[MOVED])
    return walk.now


def present(trajectory: Trajectory, base: str) -> str:
    """The session's files as they are now."""
    return tree_at(trajectory, len(trajectory.records), base)


def host_of(step: Step) -> Mapping[str, Any] | None:
    """What a step took over from the user; None where it is no such step."""
    return next((seen.data[HOST] for seen in step.observations if HOST in seen.data), None)


def effects(trajectory: Trajectory, kind: str) -> Iterator[Mapping[str, Any]]:
    """The data of what was done to the user's repository by that name, oldest first: `apply`, `commit`."""
    for note in trajectory.notes:
        if note.kind == "done" and not note.data.get(FAILED) and str(note.data.get(EFFECT, "")).startswith(f"{kind} "):
            yield note.data
