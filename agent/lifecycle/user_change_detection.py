"""The merge of the user's working tree changes into the session at the start of a turn.

The merge is recorded as a step of author `host`, so that a resumed run takes the merged tree from `trees.git`. Runs
with a single turn (`fix`, batches) need no merge, nor do runs that started at a revision (`--base`), whose files are
not those of the working tree.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aci.observation import output_text
from aci.observation.untrusted_text import clean_text
from aci.repository.tree_merge import MergeResult, merge_trees
from agent.run_state.merge_base import find_merge_base, merge_data, present_tree
from agent.run_state.turn_state import HOST, follow_up_head
from trajectories.git_store.trees import Change

if TYPE_CHECKING:
    from agent.engine.branch import Branch
    from agent.engine.engine import Engine
    from trajectories.records import Step

MOST_NAMES = 40
PINNED = "revision"
"""Key in a note's data that marks a run that started at a revision instead of the working tree."""


def take_over_changes(branch: Branch) -> Generator[Step, None, None]:
    """Yield the step that merges the user's changes, if there are any, before the turn's own steps. Raises UsageError
    if the user's files cannot be read."""
    ahead = branch.engine.trajectory.steps[branch.name][len(branch.steps) :]
    if ahead:
        if merge_data(ahead[0]):
            yield _adopt_changes(branch, ahead[0].tree, "", {})
    elif branch.turn.is_later and (edits := find_user_changes(branch.engine)):
        yield _adopt_changes(branch, edits.merged.tree, _describe(branch.engine, edits), edits.data)


def _adopt_changes(branch: Branch, tree: str, text: str, data: Mapping[str, Any]) -> Step:
    step = branch.adopt(tree, text, HOST, {HOST: data})
    branch.mark_start()
    return step


@dataclass(frozen=True, slots=True)
class Edits:
    """The user's changes: `changed` is the difference between `old`, the last common tree, and `seen`, the user's tree.
    `merged` is the session's tree with these changes."""

    old: str
    seen: str
    changed: tuple[Change, ...]
    merged: MergeResult
    both: str
    """The common tree after the merge: `seen` without the conflicting changes."""

    @property
    def data(self) -> dict[str, Any]:
        """The machine-readable data of the step, see `agent/run_state/merge_base.py`."""
        changed = [change.path for change in self.changed]
        return {"seen": self.seen, "synced": self.both, "changed": changed, "conflicts": list(self.merged.paths)}


def find_user_changes(engine: Engine) -> Edits | None:
    """Return the user's changes that the session does not have yet; None if there are none. Raises UsageError."""
    trees, trajectory, base = engine.trees, engine.trajectory, engine.run.base.tree
    old, seen, changed = compare_user_tree(engine)
    if not changed:
        return None
    merged = merge_trees(trees, old, present_tree(trajectory, base), seen)
    both = trees.overlay(seen, old, merged.paths) if merged.conflicts else seen
    return Edits(old, seen, changed, merged, both)


def compare_user_tree(engine: Engine) -> tuple[str, str, tuple[Change, ...]]:
    """Return the last common tree, the user's tree without conflicts that were already reported, and their diff. In a
    follow-up, the user's tree is that of its commit."""
    trees, trajectory = engine.trees, engine.trajectory
    head = follow_up_head(trajectory) if trajectory.exit is None else ""
    if not head and any(PINNED in note.data for note in trajectory.notes):
        return "", "", ()
    both = find_merge_base(trees, trajectory, engine.run.base.tree)
    seen = engine.repository.base(trees, head).tree if head else engine.working_tree.tree()
    for known in both.open:
        same = [path for path in known.paths if trees.entry(seen, path) == trees.entry(known.seen, path)]
        seen = trees.overlay(seen, both.tree, same) if same else seen
    return both.tree, seen, tuple(trees.changed(both.tree, seen))


def _describe(engine: Engine, edits: Edits) -> str:
    """Return the message to the model: which files the user changed and how, and which conflicting changes are not in
    its workspace."""
    lines = []
    if taken := [change for change in edits.changed if change.path not in edits.merged.paths]:
        names = ", ".join(f"{change.status} {change.path}" for change in taken[:MOST_NAMES])
        more = f", and {len(taken) - MOST_NAMES} more" if len(taken) > MOST_NAMES else ""
        lines.append(f"[In the meantime the user changed {names}{more}: your workspace now has these changes.]")
    if edits.merged.conflicts:
        left = ", ".join(map(str, edits.merged.conflicts))
        lines.append(
            f"[You and the user both changed {left}: your workspace still has your version. "
            "Merge the user's changes, shown below, or your version cannot be applied to the user's files.]"
        )
    diff, _ = output_text.prepare_output(
        clean_text(engine.trees.diff(edits.old, edits.seen)), "other", engine.journal.keep, engine.secrets
    )
    return "\n".join([*map(clean_text, lines), diff])
