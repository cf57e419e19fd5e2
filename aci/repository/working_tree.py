"""The user's working tree, stored as a tree of a run and cached until something changes."""

from __future__ import annotations

import os
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING

from aci.repository.user_repository import Repository
from trajectories.git_store.git_commands import GitFailed, decode

if TYPE_CHECKING:
    from collections.abc import Collection

    from trajectories.git_store.trees import Trees


class WorkingTree:
    """Cached snapshots of the working tree. Thread-safe; nothing is written to the user's repository."""

    def __init__(self, repository: Repository, trees: Trees, allowed: Collection[str] = ()) -> None:
        self.repository, self.trees, self._allowed = repository, trees, allowed
        self._last: tuple[str, str] | None = None
        self._lock = Lock()

    def tree(self) -> str:
        """Return the current tree (see `Repository.base`). Raises UsageError.

        The last tree is reused if the fingerprint is unchanged, which takes two git commands that read no file.
        """
        with self._lock:
            fingerprint = self._fingerprint()
            if self._last is None or self._last[0] != fingerprint:
                self._last = fingerprint, self.repository.base(self.trees, allowed=self._allowed).tree
            return self._last[1]

    def _fingerprint(self) -> str:
        """Return a hash of HEAD, the index, and the name, time, size and mode of each file that git reports as
        changed."""
        repository = self.repository
        if repository.bare:
            return repository.commit()
        index = repository.git_dir / "index"
        changed = repository._git("diff-files", "-z", "--name-only", "--no-renames", "--ignore-submodules=all")
        untracked = repository._git("ls-files", "-o", "-z", "--exclude-standard")
        parts = [repository.commit().encode(), _stat_fingerprint(os.fsencode(index))]
        for path in [*changed.split(b"\0"), *untracked.split(b"\0")]:
            parts += [path, _stat_fingerprint(os.path.join(os.fsencode(repository.root), path))] if path else []  # noqa: PTH118
        return sha256(b"\0".join(parts)).hexdigest()

    def overlooked(self, tree: str, paths: Collection[str]) -> dict[str, str]:
        """Return the `paths` that are marked assume-unchanged or skip-worktree and differ from `tree`.

        Each value is the `git update-index` option that removes the mark. Git treats these files as unchanged, so
        `tree` lacks their edits.
        """
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
        except GitFailed:  # the file does not exist
            return entry is None
        return entry is not None and entry[1] == id


def _stat_fingerprint(path: bytes) -> bytes:
    try:
        found = os.lstat(path)
    except OSError:
        return b"gone"
    return repr((found.st_mtime_ns, found.st_size, found.st_mode, found.st_ino, found.st_ctime_ns)).encode()
