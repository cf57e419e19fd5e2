"""Sizes of tree listings, and limits for trees from containers and repositories."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from trajectories.git_store.pack_reader import PackRefused
from trajectories.git_store.pack_writer import Entries

FOLDER = "040000"

DEPTH_LIMIT = 500
FILES_LIMIT = 2_000_000
PATH_LIMIT = 4096
"""Maximum number of bytes of a path: Linux's PATH_MAX."""
LISTING_LIMIT = 256_000_000
"""Maximum number of bytes of all paths together."""


class TreeSize(NamedTuple):
    """The size of a tree: number of files, levels of folders, bytes of the longest path, and bytes of all paths."""

    files: int = 0
    depth: int = 1
    longest: int = 0
    listing: int = 0


FILE = TreeSize(1, 0)


def combine(entries: Iterable[tuple[bytes, TreeSize]]) -> TreeSize:
    """Return the size of a folder with entries of these names and sizes."""
    files, depth, longest, listing = TreeSize()
    for name, size in entries:
        prefix = len(name) + (size is not FILE)
        files, depth = files + size.files, max(depth, size.depth + 1)
        longest, listing = max(longest, prefix + size.longest), listing + prefix * size.files + size.listing
    return TreeSize(files, depth, longest, listing)


def measure(tree: str, entries: Callable[[str], Entries], known: dict[str, TreeSize], level: int = 0) -> TreeSize:
    """Return the size of a tree. `entries` reads a folder by its id; each folder is read once. The sizes are added to
    `known`. Raises PackRefused for too many levels."""
    if level > DEPTH_LIMIT:
        raise PackRefused(f"The tree has more than {DEPTH_LIMIT} levels.")
    if tree not in known:
        sizes = []
        for name, (mode, id) in entries(tree).items():
            sizes.append((name, measure(id, entries, known, level + 1) if mode == FOLDER else FILE))
        known[tree] = combine(sizes)
    return known[tree]


def check_size(size: TreeSize) -> None:
    """Raise PackRefused if a tree's listing would be too large: a few nested folders can represent billions of files,
    or a few files with paths of megabytes."""
    if size.files > FILES_LIMIT or size.depth > DEPTH_LIMIT or size.listing > LISTING_LIMIT:
        raise PackRefused(f"The tree is too large: {size.files:,} files, {size.depth} levels deep.")
    if size.longest > PATH_LIMIT:
        raise PackRefused(f"The tree has a path of {size.longest:,} bytes.")
