"""Search for the git repository that a folder belongs to, without reading any configuration.

A folder that looks like a git directory inside a working tree may be ordinary tracked files, with a configuration that
somebody else wrote. It is not used as a repository.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import NamedTuple

from trajectories.errors import UsageError

NO_GIT = {"GIT_PYTHON_GIT_EXECUTABLE": os.devnull, "GIT_PYTHON_REFRESH": "quiet"}
"""Variables with which GitPython has no program that it could start."""
ELSEWHERE = ("GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY")
"""Variables of the caller, such as a hook of git, with which GitPython looks into other folders. No git process that
this program starts gets them, so they can be removed for a moment."""
_LOCK = Lock()


class FoundRepository(NamedTuple):
    root: Path
    """The working tree, or the git directory of a bare repository."""
    git_dir: Path
    bare: bool


def find_repository(folder: Path) -> FoundRepository | None:
    """Return the repository that contains a folder, or None.

    Raises UsageError for a folder inside a git directory, and for one that looks like a git directory inside a working
    tree.
    """
    bare: Path | None = None
    for place in (folder.resolve(), *folder.resolve().parents):
        if git_dir := _git_dir(place / ".git"):
            if bare and bare.is_relative_to(git_dir):
                raise UsageError(f"{folder} is inside the git directory of {place}.", f"Name {place}.")
            if bare:
                raise UsageError(
                    f"{bare} looks like a git directory, but is inside the working tree {place}.",
                    f"Name {place}, or move {bare.name} out of it if it is a repository of its own.",
                )
            return FoundRepository(place, git_dir, False)
        if bare is None and _is_git_dir(place):
            bare = place
    return FoundRepository(bare, bare, True) if bare else None


def _git_dir(link: Path) -> Path | None:
    """Return the git directory that a `.git` entry is or names, if there is one."""
    place = link
    if link.is_file():
        place = link.parent / (_git_python().find_worktree_git_dir(link) or "")
    return place.resolve() if os.path.lexists(link) and _is_git_dir(place) else None


def _is_git_dir(place: Path) -> bool:
    library = _git_python()
    try:
        with _variables(dict.fromkeys(ELSEWHERE)):
            return bool(library.is_git_dir(place))
    except library.WorkTreeRepositoryUnsupported:  # part of the git directory of a repository that was moved
        return False


@cache
def _git_python() -> ModuleType:
    """Return GitPython's functions for git directories. When GitPython is imported, it looks which git it would start;
    it finds none here, since only `trajectories.git_store.git_commands` starts git."""
    with _variables(NO_GIT):
        return import_module("git.repo.fun")


@contextmanager
def _variables(values: Mapping[str, str | None]) -> Iterator[None]:
    """Set variables of the environment, or remove those that are None, and restore them afterwards."""
    with _LOCK:
        before = {name: os.environ.get(name) for name in values}
        try:
            _set(values)
            yield
        finally:
            _set(before)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
