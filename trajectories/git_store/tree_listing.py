"""File entries of a tree, and the changes between two trees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from trajectories.git_store.git_commands import encode


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a tree: git's mode (`100644`, `100755`, `120000`, `160000`), blob id and size in bytes."""

    mode: str
    id: str
    size: int


@dataclass(frozen=True, slots=True)
class Change:
    """A path that differs between two trees, with git's status letter: `A` (added), `M` (modified), `D` (deleted) or
    `T` (type changed)."""

    status: str
    path: str


def changes(old: Mapping[str, Entry], new: Mapping[str, Entry]) -> Iterator[Change]:
    """Yield the paths that differ, in git's order."""
    for path in sorted(old.keys() | new.keys(), key=encode):
        before, after = old.get(path), new.get(path)
        if before is None or after is None:
            yield Change("D" if after is None else "A", path)
        elif before.mode[:3] != after.mode[:3]:
            yield Change("T", path)
        elif (before.mode, before.id) != (after.mode, after.id):
            yield Change("M", path)
