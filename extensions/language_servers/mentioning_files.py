"""Files that contain a name: those that a server has to see open to find the references in them."""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trajectories.git_store.trees import Trees

MOST_FILES = 40
MOST_SEARCHED, MOST_SIZE = 5_000, 500_000
"""Maximum number of files that are read, the closest ones first, and of bytes of one."""


def find_mentions(trees: Trees, tree: str, suffixes: Collection[str], path: str, name: str) -> dict[str, str]:
    """Return the texts of at most MOST_FILES files with these suffixes that contain the name as a word, those
    closest to `path` first."""
    word = re.compile(rf"(?<![\w$]){re.escape(name)}(?![\w$])")
    paths = [
        each
        for each, entry in trees.files(tree).items()
        if f".{each.rpartition('.')[2]}" in suffixes and 0 < entry.size <= MOST_SIZE
    ]
    paths.sort(key=lambda each: -_shared_folders(each, path))
    found: dict[str, str] = {}
    for each in paths[:MOST_SEARCHED]:
        text = trees.read(tree, each).decode("utf-8", "replace")
        if word.search(text):
            found[each] = text
        if len(found) == MOST_FILES:
            break
    return found


def _shared_folders(one: str, other: str) -> int:
    pairs = zip(one.split("/")[:-1], other.split("/")[:-1], strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
