"""What the user changed in the working tree meanwhile goes over to the session, at the start of a turn.

It is a step of author `host`, so it is on the record: the merged tree lies in `trees.git`, and a run that is resumed
takes it from there. Runs of one turn (`fix`, batches) have no meanwhile, nor have those that began at a revision
(`--base`): their files are not the working tree's.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aci import view
from aci.merging import Merged, merge
from agent.standing import HOST
from agent.synced import host_of, present, synced
from trajectories.trees import Change

if TYPE_CHECKING:
    from agent.engine import Engine
    from agent.task import Task
    from trajectories.records import Step

MOST_NAMES = 40
PINNED = "revision"
"""In the data of a note: the run began there, and not with the working tree."""


def taken_over(task: Task) -> Generator[Step, None, None]:
    """At most one step, before the turn's own. Raises UsageError where the user's files cannot be read."""
    ahead = task.engine.trajectory.steps[task.branch][len(task.steps) :]
    if ahead:
        if host_of(ahead[0]):
            yield _adopted(task, ahead[0].tree, "", {})
    elif task.is_later and (edits := look(task.engine)):
        yield _adopted(task, edits.merged.tree, _told(task.engine, edits), edits.data)


def _adopted(task: Task, tree: str, text: str, data: Mapping[str, Any]) -> Step:
    step = task.adopt(tree, text, HOST, {HOST: data})
    task.begin_here()
    return step


@dataclass(frozen=True, slots=True)
class Edits:
    """The user's: what they `changed` from `old`, which both had, to `seen`; `merged` is the session's tree with it."""

    old: str
    seen: str
    changed: tuple[Change, ...]
    merged: Merged
    both: str
    """What both have once it is taken over: all of `seen` but the conflicts."""

    @property
    def data(self) -> dict[str, Any]:
        """What the step says for programs, see `agent/synced.py`."""
        changed = [change.path for change in self.changed]
        return {"seen": self.seen, "synced": self.both, "changed": changed, "conflicts": list(self.merged.paths)}


def look(engine: Engine) -> Edits | None:
    """What the user changed and the session does not know of; None for nothing. Raises UsageError."""
    trees, trajectory, base = engine.trees, engine.trajectory, engine.run.base.tree
    old, seen, changed = seen_changed(engine)
    if not changed:
        return None
    merged = merge(trees, old, present(trajectory, base), seen)
    both = trees.overlay(seen, old, merged.paths) if merged.conflicts else seen
    return Edits(old, seen, changed, merged, both)


def seen_changed(engine: Engine) -> tuple[str, str, tuple[Change, ...]]:
    """What both have, what the user has but for conflicts that were told already, and how they differ."""
    trees, trajectory = engine.trees, engine.trajectory
    if any(PINNED in note.data for note in trajectory.notes):
        return "", "", ()
    both, seen = synced(trees, trajectory, engine.run.base.tree), engine.working_tree.tree()
    for known in both.open:
        same = [path for path in known.paths if trees.entry(seen, path) == trees.entry(known.seen, path)]
        seen = trees.overlay(seen, both.tree, same) if same else seen
    return both.tree, seen, tuple(trees.changed(both.tree, seen))


def _told(engine: Engine, edits: Edits) -> str:
    """For the model: which files, how they changed, and what of it is not in its workspace."""
    lines = []
    if taken := [change for change in edits.changed if change.path not in edits.merged.paths]:
        names = ", ".join(f"{change.status} {change.path}" for change in taken[:MOST_NAMES])
        more = f", and {len(taken) - MOST_NAMES} more" if len(taken) > MOST_NAMES else ""
        lines.append(f"[Meanwhile the user changed {names}{more}: your workspace has that now.]")
    if edits.merged.conflicts:
        left = ", ".join(map(str, edits.merged.conflicts))
        lines.append(
            f"[The user and you both changed {left}: there your workspace is as you left it. Below is what the user "
            "did: work it in, else what you have there cannot be given to the user.]"
        )
    diff, _ = view.show(engine.trees.diff(edits.old, edits.seen), "other", engine.journal.keep, engine.secrets)
    return "\n".join([*map(view.clean, lines), diff])
