"""What differs between two trees, a line a file, and what no tree holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aci.patch import lines_of

if TYPE_CHECKING:
    from aci.workspace import Snapshot
    from trajectories.trees import Trees

MOST_FILES = 30
WORDS = {"A": "new", "D": "deleted", "T": "of another type"}


def stat(trees: Trees, old: str, new: str) -> list[str]:
    """Each changed file with its added and removed lines: `aci/view.py +3 -1`, `notes.txt +2 -0 (new)`."""
    changed = trees.changed(old, new)
    rows = []
    for change in changed[:MOST_FILES]:
        sections = lines_of(trees.diff(old, new, [change.path]))  # two where it becomes of another type
        added, removed = sum(added for _, added, _ in sections), sum(removed for *_, removed in sections)
        word = f" ({WORDS[change.status]})" if change.status in WORDS else ""
        rows.append(f"{change.path} +{added} -{removed}{word}")
    if len(changed) > MOST_FILES:
        rows.append(f"… {len(changed) - MOST_FILES} more files")
    return rows


def unrecorded(snapshot: Snapshot) -> list[str]:
    """A line on what of the files is in no tree, if anything is not."""
    return [f"Not recorded, kept in its last state: {', '.join(snapshot.skipped)}"] if snapshot.skipped else []
