"""Validation of object ids and tree paths before they are passed to git."""

from __future__ import annotations

import re

from trajectories.errors import RunBroken, UsageError


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
