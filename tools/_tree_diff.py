"""Summaries for the model: the files that differ between two trees, and the files that a snapshot left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aci.repository.patch import count_diff_lines

if TYPE_CHECKING:
    from aci.runtime.workspace import Snapshot
    from trajectories.git_store.trees import Trees

MOST_FILES = 30
WORDS = {"A": "new", "D": "deleted", "T": "type changed"}


def stat(trees: Trees, old: str, new: str) -> list[str]:
    """Return the changed files with their numbers of added and removed lines: `lib/text.py +3 -1`, `notes.txt +2 -0
    (new)`."""
    changed = trees.changed(old, new)
    rows = []
    for change in changed[:MOST_FILES]:
        # Git prints two sections if the file's type changes.
        sections = count_diff_lines(trees.diff(old, new, [change.path]))
        added, removed = sum(added for _, added, _ in sections), sum(removed for *_, removed in sections)
        word = f" ({WORDS[change.status]})" if change.status in WORDS else ""
        rows.append(f"{change.path} +{added} -{removed}{word}")
    if len(changed) > MOST_FILES:
        rows.append(f"… {len(changed) - MOST_FILES} more files")
    return rows


def unrecorded(snapshot: Snapshot) -> list[str]:
    """Return a line that names the files that the snapshot left out, if there are any."""
    return [f"Not recorded; the last recorded state is used: {', '.join(snapshot.skipped)}"] if snapshot.skipped else []
