"""Checks that the objects of two trees have the content that their ids stand for, before git computes with them."""

from __future__ import annotations

from collections.abc import Iterator

from trajectories.errors import RunBroken
from trajectories.objects import Reader
from trajectories.packing import Entries, parsed
from trajectories.tree_size import FOLDER

SUBMODULE = "160000"
TREE_LIMIT = 1 << 28
"""Bytes of one tree object that is read."""


class CheckedDifference:
    """Reads what differs between trees of one store. Safe for threads."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._blobs: set[str] = set()

    def check_folders(self, old: str, new: str) -> None:
        """Read all folders that differ. Raises RunBroken for one that is missing, or whose content has another id."""
        for _ in self._differing(old, new):
            pass

    def check(self, old: str, new: str) -> None:
        """Read all folders and files that differ, each file once. Raises RunBroken as `check_folders` does; a file that
        is missing is left to git."""
        for id in self._differing(old, new):
            if id not in self._blobs:
                self._reader.check(id)
                self._blobs.add(id)

    def _differing(self, old: str, new: str) -> Iterator[str]:
        """The ids of the files that differ, of both sides."""
        left, seen = [(old, new)], set[tuple[str, str]]()
        while left:
            pair = left.pop()
            if pair[0] == pair[1] or pair in seen:
                continue
            seen.add(pair)
            before, after = map(self._entries, pair)
            for name in before.keys() | after.keys():
                sides = [entries.get(name, ("", "")) for entries in (before, after)]
                if sides[0] == sides[1]:
                    continue
                one, other = (id if mode == FOLDER else "" for mode, id in sides)
                left.append((one, other))
                yield from (id for mode, id in sides if mode not in ("", FOLDER, SUBMODULE))

    def _entries(self, tree: str) -> Entries:
        if not tree:
            return {}
        found = self._reader.get(tree, TREE_LIMIT)
        if found is None or found[0] != "tree":
            raise RunBroken(f"The tree {tree[:10]} is not in the store.", "The run cannot be used any more.")
        return parsed(found[1])
