"""The lines of the new files that a diff shows: changed lines and the unchanged ones around them.

GitHub shows a remark beside the code only on these lines.
"""

from __future__ import annotations

from aci.repository.patch import diff_sections
from trajectories.git_store.trees import Trees
from trajectories.unified_diff import split_hunks

Lines = dict[str, frozenset[int]]
"""Lines by path."""


def shown_lines(diff: str) -> frozenset[int]:
    """Return the numbers of the lines of the new file that the diff of one file shows."""
    found: set[int] = set()
    for header, text in split_hunks(diff)[1]:
        line = header.new_start
        for each in text.split("\n")[1:]:
            if each[:1] in ("+", " "):
                found.add(line)
                line += 1
    return frozenset(found)


def changed_lines(trees: Trees, base: str, tree: str) -> Lines:
    """Return the shown lines of each file that differs between two trees; none for binary and deleted files."""
    paths = [one.path for one in trees.changed(base, tree) for _ in range(1 + (one.status == "T"))]
    sections = zip(paths, diff_sections(trees.diff(base, tree)), strict=True)
    return {path: shown_lines(section) for path, section in sections}
