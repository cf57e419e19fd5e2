"""The files of a tree, as the detection of environments and front ends reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from trajectories.git_store.trees import Trees

_LARGEST = 2_000_000
_FILE = ("100644", "100755")


class TreeFiles(Mapping[str, bytes]):
    """The regular files of a tree, read on demand. A very large file appears as empty."""

    def __init__(self, trees: Trees, tree: str) -> None:
        self._trees = trees
        self.entries = {path: entry for path, entry in trees.files(tree).items() if entry.mode in _FILE}

    def __getitem__(self, path: str) -> bytes:
        entry = self.entries[path]
        return self._trees.read_blob(entry.id) if entry.size <= _LARGEST else b""

    def __contains__(self, path: object) -> bool:
        return path in self.entries

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)
