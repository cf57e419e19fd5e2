"""File entries of a tree, validation of ids and paths, and the changes between two trees."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from trajectories.errors import RunBroken, UsageError
from trajectories.git_store.git_commands import encode


def checked_id(id: str) -> str:
    """Return an object id after checking it, since it may come from a record or a container and is passed on command
    lines. Raises RunBroken if it is not an id."""
    if not re.fullmatch(r"[0-9a-f]{40}", id):
        raise RunBroken(f"{id[:60]!r} is not the id of a tree or blob.")
    return id


def checked_path(path: str) -> str:
    """Return the path after checking it. Raises UsageError if a tree may not contain it."""
    parts = path.split("/")
    if "\0" in path or any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
        raise UsageError(f"A tree cannot hold the path {path!r}.", "Use a path inside the repository, outside .git.")
    return path


def is_under(path: str, wanted: set[str]) -> bool:
    """Return whether a path is in `wanted`, or below a path in `wanted`."""
    return path in wanted or any(path[:at] in wanted for at in _slashes(path))


def _slashes(path: str) -> list[int]:
    return [at for at, char in enumerate(path) if char == "/"]


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
