"""The merge base of the session's and the user's files: their last common state, derived from the records alone.

The merge base is initially the base of the run. Applying changes writes them to the user's files, so that both sides
contain them; the user's own changes are merged into the session's files by a step of author `host`. A rewind of the
session also reverts the user's changes that were merged since then; applied changes remain in the merge base, since
they are still in the user's files.
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
"""Keys in the data of a `done` note: the effect, the old and the new common tree, and whether the effect failed."""
UNDONE = "turns"
"""Key in the data of a step that rewinds: the number of turns. Without this key or RESTORED, the step does not change
the files."""
RESTORED = "restored"
"""Key in the data of a step that rewinds: the number of the step whose files it restores."""


@dataclass(frozen=True, slots=True)
class OpenConflict:
    """A conflict: files that both the user and the session changed. `seen` is the user's tree when the conflict
    occurred, and `ours` is the session's tree."""

    paths: tuple[str, ...]
    seen: str
    ours: str


@dataclass(slots=True)
class MergeBase:
    """The merge base: its `tree`, and the `open` conflicts, in files that the session has not changed since. In `stuck`
    files, a rewind left changes that were applied, since the user's edits are in the same lines."""

    tree: str
    open: tuple[OpenConflict, ...] = ()
    stuck: tuple[str, ...] = ()


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
        elif (number := _restored_step(step)) is not None:
            before = self.at[number]
            self.now = MergeBase(before.tree, before.open)
            for at, old, new_tree in self.moves:
                if at >= number:
                    merged = merge_trees(self.trees, old, self.now.tree, new_tree)
                    self.now.tree = merged.tree
                    self.now.stuck += merged.paths
        else:
            self._settle_conflicts(step.tree)
        self.last = step.n
        self.at[step.n] = self.now

    def move(self, old: str, new: str) -> None:
        """Record that changes were applied to the user's files, or reverted."""
        self.moves.append((self.last, old, new))
        self.now = MergeBase(merge_trees(self.trees, old, self.now.tree, new).tree, self.now.open)

    def _settle_conflicts(self, tree: str) -> None:
        """Mark conflicts as resolved in files that the session changed after the conflicts were reported to it."""
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


def _restored_step(step: Step) -> int | None:
    """Return the number of the step whose files this one restores; None if it restores none."""
    for seen in step.observations:
        if RESTORED in seen.data:
            return int(seen.data[RESTORED])
        if UNDONE in seen.data:
            return rewinds(step)
    return None


def find_merge_base(trees: Trees, trajectory: Trajectory, base: str) -> MergeBase:
    """Return the merge base after all records. `base` is the base tree of the run."""
    replay = _Replay(trees, MergeBase(base), {0: MergeBase(base)})
    for record in list(trajectory.records):
        if isinstance(record, Step) and record.branch == MAIN:
            replay.step(record)
        elif isinstance(record, Note) and record.kind == "done" and MOVED in record.data:
            replay.move(*record.data[MOVED])
    return replay.now


def present_tree(trajectory: Trajectory, base: str) -> str:
    """Return the current tree of the session."""
    return tree_at(trajectory, len(trajectory.records), base)


def merge_data(step: Step) -> Mapping[str, Any] | None:
    """Return the data of a step that merged the user's changes; None for other steps."""
    return next((seen.data[HOST] for seen in step.observations if HOST in seen.data), None)


def effects(trajectory: Trajectory, kind: str) -> Iterator[Mapping[str, Any]]:
    """Yield the data of the successful effects of this kind (`apply` or `commit`) on the user's repository, oldest
    first."""
    for note in trajectory.notes:
        if note.kind == "done" and not note.data.get(FAILED) and str(note.data.get(EFFECT, "")).startswith(f"{kind} "):
            yield note.data
