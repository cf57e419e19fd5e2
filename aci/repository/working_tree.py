"""The files of the user's working tree as a tree of a run, made anew only when something looks different."""

from __future__ import annotations

import os
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING

from aci.repository import Repository
from trajectories.plumbing import GitFailed, decode

if TYPE_CHECKING:
    from collections.abc import Collection

    from trajectories.trees import Trees


class WorkingTree:
    """Safe for threads. Nothing is written to the user's repository."""

    def __init__(self, repository: Repository, trees: Trees) -> None:
        self.repository, self.trees = repository, trees
        self._seen: tuple[str, str] | None = None
        self._lock = Lock()

    def tree(self) -> str:
        """Its tree, see `Repository.base`. A glance (two commands of git, which read no file) tells whether the last
        one still holds. Raises UsageError."""
        with self._lock:
            glance = self._glance()
            if self._seen is None or self._seen[0] != glance:
                self._seen = glance, self.repository.base(self.trees).tree
            return self._seen[1]

    def _glance(self) -> str:
        """What it looks like: HEAD, index, and name, time, size and mode of each file that git takes for changed."""
        repository = self.repository
        if repository.bare:
            return repository.commit()
        index = repository.git_dir / "index"
        changed = repository._git("diff-files", "-z", "--name-only", "--no-renames", "--ignore-submodules=all")
        untracked = repository._git("ls-files", "-o", "-z", "--exclude-standard")
        told = [repository.commit().encode(), _looks(os.fsencode(index))]
        for path in [*changed.split(b"\0"), *untracked.split(b"\0")]:
            told += [path, _looks(os.path.join(os.fsencode(repository.root), path))] if path else []  # noqa: PTH118
        return sha256(b"\0".join(told)).hexdigest()

    def overlooked(self, tree: str, paths: Collection[str]) -> dict[str, str]:
        """Of these paths the files marked assume-unchanged or skip-worktree that are not as in `tree`, and the option
        of `git update-index` that takes the mark off. Git takes them for unchanged, so `tree` has no edits of them."""
        if self.repository.bare:
            return {}
        listed = decode(self.repository._git("ls-files", "-v", "-z")).split("\0")
        marked = {line[2:]: line[0] for line in listed if line[:1].islower() or line[:1] == "S"}
        return {
            path: "--no-skip-worktree" if mark in "Ss" else "--no-assume-unchanged"
            for path, mark in marked.items()
            if path in paths and not self._is_as_in(tree, path)
        }

    def _is_as_in(self, tree: str, path: str) -> bool:
        entry = self.trees.entry(tree, path)
        try:
            id = decode(self.repository._git("hash-object", "--", path)).strip()
        except GitFailed:  # it is not there
            return entry is None
        return entry is not None and entry[1] == id


def _looks(path: bytes) -> bytes:
    try:
        found = os.lstat(path)
    except OSError:
        return b"gone"
    return repr((found.st_mtime_ns, found.st_size, found.st_mode, found.st_ino, found.st_ctime_ns)).encode()
