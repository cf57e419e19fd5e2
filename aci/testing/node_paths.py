"""Nodes: the ids, files and folders to which a test run is limited, as users, models and data sets name them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from trajectories.errors import UsageError

LONGEST_PATH, LONGEST_SHOWN = 4096, 200
"""Maximum number of characters of a node's path (Linux opens no longer one); of a path in a message."""
ROOT = "{repository}"
"""Placeholder for the workspace's root in ids of tests, since the workspaces of a run are in different folders."""
_NAME = re.compile(r"::| > | \(|\[")
"""Matches the start of a test's name, or of its parameters, after the path or the dotted name of a module."""


def nodes_inside(nodes: Sequence[str], root: str) -> tuple[str, ...]:
    """Return the nodes; absolute paths in the repository at `root` become relative. Raises UsageError for a path
    outside the repository."""
    return tuple(_inside(node.replace(ROOT, root), root) for node in nodes)


def _inside(node: str, root: str) -> str:
    path = _NAME.split(node, maxsplit=1)[0]
    if len(path) <= LONGEST_PATH:
        whole = posixpath.normpath(posixpath.join(root, path))
        if whole == root or whole.startswith(f"{root.rstrip('/')}/"):
            return posixpath.relpath(whole, root) + node[len(path) :] if posixpath.isabs(path) else node
    shown = path if len(path) <= LONGEST_SHOWN else f"{path[:LONGEST_SHOWN]}…"
    raise UsageError(
        f"The test {shown} is not in the repository.", "Name tests by their paths relative to the repository's root."
    )


def folders_above(path: str) -> Iterator[str]:
    """Yield the folders above a path, innermost first; the last one is the root ("", or "/" for an absolute path)."""
    while path.strip("/"):
        path = posixpath.dirname(path)
        yield path
