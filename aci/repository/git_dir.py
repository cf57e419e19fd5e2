"""Discovery of the git directory of a folder, without the configuration of the repository."""

from __future__ import annotations

import os
from pathlib import Path


def find_git_dir(path: Path) -> tuple[Path, Path | None]:
    """Return the folder of the repository that contains a path and its git directory, as git finds them, but without
    its configuration; None if there is no repository."""
    for folder in (path, *path.parents):
        for found in (folder / ".git", _linked_git_dir(folder / ".git")):
            if found and _is_git_dir(found):
                return folder, found
        if _is_git_dir(folder):
            return (folder.parent if folder.name == ".git" else folder), folder
    return path, None


def _linked_git_dir(pointer: Path) -> Path | None:
    """Return the git directory that the `.git` file of a linked worktree or a submodule names."""
    try:
        kind, _, target = os.fsdecode(pointer.read_bytes()).rstrip("\r\n").partition(": ")
    except OSError:  # a folder, or missing
        return None
    return pointer.parent / target if kind == "gitdir" else None


def _is_git_dir(folder: Path) -> bool:
    shared = (folder / "commondir").is_file() or all((folder / name).is_dir() for name in ("objects", "refs"))
    return shared and os.path.lexists(folder / "HEAD")
