"""Fast search for files by parts of their path, for completion in large repositories."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from threading import Lock, Thread

from aci.repository.user_repository import Repository
from trajectories.errors import UsageError
from trajectories.git_store.git_commands import GitFailed, decode

FRESH = 5.0
"""Seconds after which a listing is renewed."""
MOST_WALKED = 20_000
RANKED = 1000
"""Maximum number of matching paths that are ranked; those nearest to the root are chosen."""


class FileIndex:
    """The tracked and untracked files that git does not ignore, and their folders.

    A thread lists the files at the start and renews the list from time to time. Until a new list is complete, the old
    one is used.
    """

    def __init__(self, source: Repository) -> None:
        self._source = source
        self._paths: list[tuple[str, str]] = []
        self._at: float | None = None
        self._lock = Lock()
        self._listing: Thread | None = None
        self._renew()

    def like(self, part: str, most: int) -> list[str]:
        """Return the paths that contain the pieces of `part` (separated by slashes or spaces) in order, most likely
        first."""
        self._renew()
        wanted = part.lower()
        pieces = wanted.replace("/", " ").split()
        fitting: Iterable[tuple[str, str]] = self._paths
        for piece in sorted(set(pieces), key=len, reverse=True):
            fitting = [pair for pair in fitting if piece in pair[0]]
        found = list(islice((pair for pair in fitting if _in_order(pair[0], pieces)), RANKED))
        return [path for _, path in sorted(found, key=lambda pair: _rank(pair[0], wanted))[:most]]

    def wait(self) -> None:
        """Wait until the current listing is done."""
        if self._listing:
            self._listing.join()

    def _renew(self) -> None:
        with self._lock:
            fresh = self._at is not None and time.monotonic() - self._at < FRESH
            if fresh or (self._listing is not None and self._listing.is_alive()):
                return
            self._listing = Thread(target=self._list_files, name="paths", daemon=True)
            self._listing.start()

    def _list_files(self) -> None:
        files = _tracked_files(self._source)
        folders = {f"{path[: at + 1]}" for path in files for at in _slashes(path)}
        found = sorted({*files, *folders}, key=lambda path: (path.rstrip("/").count("/"), len(path), path))
        self._paths = [(path.lower(), path) for path in found]
        self._at = time.monotonic()


def _tracked_files(source: Repository) -> list[str]:
    """Return the files that git lists; if git cannot list them, as in a bare repository, return the first files found
    on disk."""
    try:
        out = source._git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    except (GitFailed, UsageError):
        return list(islice(_walk_files(source.root), MOST_WALKED))
    return sorted({decode(path) for path in out.split(b"\0")[:-1]})


def _walk_files(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            yield (Path(folder) / name).relative_to(root).as_posix()


def _slashes(path: str) -> list[int]:
    return [at for at, character in enumerate(path) if character == "/"]


def _in_order(path: str, pieces: Sequence[str]) -> bool:
    at = 0
    for piece in pieces:
        at = path.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return True


def _rank(path: str, wanted: str) -> tuple[bool, bool, bool, int, str]:
    """Return a sort key: paths that start with `wanted` come first, then those whose file name starts with it, then
    those that contain it."""
    name = path.rstrip("/").rpartition("/")[2]
    return (not path.startswith(wanted), not name.startswith(wanted), wanted not in path, len(path), path)
