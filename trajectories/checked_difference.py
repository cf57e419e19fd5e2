"""Verified differences between trees: the objects that differ are hashed and compared with their ids before git reads
them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from trajectories.errors import RunBroken
from trajectories.git_store.object_reader import Reader
from trajectories.git_store.pack_writer import parse_tree
from trajectories.git_store.tree_size import FOLDER

SUBMODULE = "160000"
TREE_LIMIT = 1 << 28
"""Maximum size in bytes of a tree object that is read."""
FILE_LIMIT = 1 << 28


class CheckedDifference:
    """Reads the objects that differ between trees of one store. Thread-safe."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._blobs: set[str] = set()

    def check_folders(self, old: str, new: str) -> None:
        """Read all folders that differ. Raises RunBroken if one is missing or its content does not match its id."""
        for _ in self._differing(old, new):
            pass

    def check(self, old: str, new: str) -> None:
        """Read all folders and files that differ, each file once. Raises RunBroken as `check_folders` does. A missing
        file is not reported here; git reports it."""
        for id, folder in self._differing(old, new):
            if folder is None and id not in self._blobs:
                self._reader.check(id)
                self._blobs.add(id)

    def copy(self, old: str, new: str, objects: Path) -> None:
        """Write both trees, and all folders and files that differ, into an object folder.

        Let git read only this folder, because a store may hold two copies of an object, and git could read the
        unchecked one. Raises RunBroken as `check` does, UsageError for a file of more than FILE_LIMIT bytes, and
        OSError.
        """
        # `_differing` yields nothing if both trees are the same.
        for id, folder in chain(self._differing(old, new), [(new, None)]):
            file = objects / id[:2] / id[2:]
            if file.exists():
                continue
            found = self._reader.get(id, FILE_LIMIT) if folder is None else ("tree", folder)
            if found is None:
                continue
            kind, data = found
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(zlib.compress(b"%b %d\0%b" % (kind.encode(), len(data), data), 1))

    def _differing(self, old: str, new: str) -> Iterator[tuple[str, bytes | None]]:
        """Yield the id of each folder and file that differs, on both sides; each folder comes with its content."""
        left, seen = [(old, new)], set[tuple[str, str]]()
        while left:
            pair = left.pop()
            if pair[0] == pair[1] or pair in seen:
                continue
            seen.add(pair)
            contents = [self._folder(id) if id else b"" for id in pair]
            yield from ((id, content) for id, content in zip(pair, contents, strict=True) if id)
            before, after = map(parse_tree, contents)
            for name in before.keys() | after.keys():
                sides = [entries.get(name, ("", "")) for entries in (before, after)]
                if sides[0] == sides[1]:
                    continue
                one, other = (id if mode == FOLDER else "" for mode, id in sides)
                left.append((one, other))
                yield from ((id, None) for mode, id in sides if mode not in ("", FOLDER, SUBMODULE))

    def _folder(self, tree: str) -> bytes:
        found = self._reader.get(tree, TREE_LIMIT)
        if found is None or found[0] != "tree":
            raise RunBroken(f"The tree {tree[:10]} is not in the store.", "The run can no longer be used.")
        return found[1]


@contextmanager
def object_folder(env: Mapping[str, str], store: Path | None = None) -> Iterator[tuple[Path, dict[str, str]]]:
    """Provide an empty object folder, in the store if one is given, and an environment in which git sees no other
    objects. Raises OSError."""
    with TemporaryDirectory(prefix="new-" if store else "swe-agent-", dir=store) as name:
        rest = {key: value for key, value in env.items() if key != "GIT_ALTERNATE_OBJECT_DIRECTORIES"}
        yield Path(name), {**rest, "GIT_OBJECT_DIRECTORY": name}
