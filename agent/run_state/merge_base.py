"""The merge base of session and user: the last state of the files that both have in common, derived from the records
alone.

It starts as the run's base. Applied changes are written to the user's files and are then in both; the user's own
changes are merged into the session's files (a step of author `host`). A rewind of the session also takes back the
user's changes that were merged since; applied changes are still in the user's files, so they remain in the base.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aci.repository.tree_merge import merge_trees
from agent.run_state.rewind import rewinds
from agent.run_state.turn_state import HOST, MAIN, tree_at
from trajectories.git_store.trees import Trees
from trajectories.records import Note, Step
from trajectories.trajectory import Trajectory

EFFECT, MOVED, FAILED = "effect", "moved", "failed"
"""Keys in the data of a `done` note: the effect; the old and the new common tree; whether it failed."""
UNDONE = "turns"
"""Key in the data of a step that rewinds: the number of turns. Without this key the files stay unchanged."""


@dataclass(frozen=True, slots=True)
class OpenConflict:
    """A conflict: files that both the user and the session changed. `seen` is the user's tree at that time, `ours` the
    session's."""

    paths: tuple[str, ...]
    seen: str
    ours: str


@dataclass(slots=True)
class MergeBase:
    """The common `tree`; `open` holds conflicts in files that the session has not changed since."""

    tree: str
    open: tuple[OpenConflict, ...] = ()


@dataclass(slots=True)
class _Replay:
    trees: Trees
    now: MergeBase
    at: dict[int, MergeBase] = field(default_factory=dict)
    moves: list[tuple[int, str, str]] = field(default_factory=list)
    last: int = 0

    def step(self, step: Step) -> None:
        if host := merge_data(step):
            kept = tuple(each for each in self.now.open if not set(each.paths) & set(host["changed"]))
            new = OpenConflict(tuple(host["conflicts"]), host["seen"], step.tree)
            self.now = MergeBase(host["synced"], (*kept, new) if new.paths else kept)
        elif (number := rewinds(step)) is not None and any(UNDONE in seen.data for seen in step.observations):
            before = self.at[number]
            self.now = MergeBase(before.tree, before.open)
            for at, old, new_tree in self.moves:
                if at >= number:
                    self.now.tree = merge_trees(self.trees, old, self.now.tree, new_tree).tree
        else:
            self._settle_conflicts(step.tree)
        self.last = step.n
        self.at[step.n] = self.now

    def move(self, old: str, new: str) -> None:
        """Record that changes were applied to the user's files, or reverted."""
        self.moves.append((self.last, old, new))
        self.now = MergeBase(merge_trees(self.trees, old, self.now.tree, new).tree, self.now.open)

    def _settle_conflicts(self, tree: str) -> None:
        """Settle conflicts in files that the session changed after the conflicts were reported to it."""
        if not self.now.open:
            return
        synced, left = self.now.tree, []
        for each in self.now.open:
            changed = {change.path for change in self.trees.changed(each.ours, tree)}
            if done := [path for path in each.paths if path in changed]:
                synced = self.trees.overlay(synced, each.seen, done)
            if rest := tuple(path for path in each.paths if path not in changed):
                left.append(OpenConflict(rest, each.seen, each.ours))
        self.now = MergeBase(synced, tuple(left))


def find_merge_base(trees: Trees, trajectory: Trajectory, base: str) -> MergeBase:
    """Return the merge base after all records. `base` is the run's tree."""
    replay = _Replay(trees, MergeBase(base), {0: MergeBase(base)})
    for record in list(trajectory.records):
        if isinstance(record, Step) and record.branch == MAIN:
            replay.step(record)
        elif isinstance(record, Note) and record.kind == "done" and MOVED in record.data:
            replay.move(*record.data[MOVED])
    return replay.now


def present_tree(trajectory: Trajectory, base: str) -> str:
    """Return the tree of the session's present files."""
    return tree_at(trajectory, len(trajectory.records), base)


def merge_data(step: Step) -> Mapping[str, Any] | None:
    """Return the data of a step that merged the user's changes; None for other steps."""
    return next((seen.data[HOST] for seen in step.observations if HOST in seen.data), None)


def effects(trajectory: Trajectory, kind: str) -> Iterator[Mapping[str, Any]]:
    """Yield the data of effects of this kind on the user's repository, oldest first: `apply`, `commit`."""
    for note in trajectory.notes:
        if note.kind == "done" and not note.data.get(FAILED) and str(note.data.get(EFFECT, "")).startswith(f"{kind} "):
            yield note.data
