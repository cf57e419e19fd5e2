"""Read-only access to stores: git reads their objects, but uses a configuration of this program.

A run folder may come from someone else. Its `config` can name commands and servers, and its links and alternates can
point to other files of the user.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from trajectories.errors import RunBroken
from trajectories.file_limits import is_in
from trajectories.git_store.git_commands import create_store

_LOCK = Lock()
ALTERNATES = frozenset({"alternates", "http-alternates"})


def read_only_environment(store: Path) -> dict[str, str]:
    """Return environment variables that make git read only the objects of a store, and nothing else in it. Raises
    OSError, and RunBroken if an object is not a regular file inside the store."""
    check_objects(store)
    return objects_environment(store)


def objects_environment(store: Path) -> dict[str, str]:
    """Return environment variables that make git use the objects of a store with a configuration of this program,
    without hooks."""
    return {"GIT_DIR": _empty_store(), "GIT_OBJECT_DIRECTORY": str(store / "objects")}


def check_objects(store: Path) -> None:
    """Raise RunBroken if an object of a store is not a regular file inside the store. Raises OSError."""
    objects = store / "objects"
    if store.is_symlink() or not is_in(objects, store) or not objects.is_dir():
        raise RunBroken(
            f"{store} contains no objects, or only links.", "Copy the whole folder of the run, without links."
        )
    for entry in _entries(objects):
        if not entry.is_file(follow_symlinks=False):
            raise RunBroken(f"{entry.path} is not a regular file.", "Copy the whole folder of the run, without links.")
        if entry.name.casefold() in ALTERNATES:
            raise RunBroken(f"{entry.path} refers to objects outside the run folder.", "Remove this file.")


def _entries(folder: str | Path) -> Iterator[os.DirEntry[str]]:
    """Yield every entry below a folder, recursively, except folders."""
    left = [folder]
    while left:
        with os.scandir(left.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    left.append(entry.path)
                else:
                    yield entry


@cache
def _made_store() -> TemporaryDirectory[str]:
    """Create an empty store, which is removed when this process ends."""
    folder = TemporaryDirectory(prefix="swe-agent-")
    create_store(Path(folder.name))
    return folder


def _empty_store() -> str:
    with _LOCK:
        return _made_store().name
