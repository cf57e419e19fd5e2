"""The files that a user may name, found by parts of their path in milliseconds, of fifty thousand too."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from threading import Lock, Thread

from aci.repository import Repository
from trajectories.plumbing import GitFailed, decode

FRESH = 5.0
"""Seconds for which a listing is taken as it is."""
MOST_WALKED = 20_000
RANKED = 1000
"""Of paths that fit, the nearest to the root, so many are put in order."""


class Paths:
    """Tracked files, untracked ones that are not ignored, and their folders, as `git` lists them: first and from time
    to time again in a thread. Until that is done there are none, or those of before."""

    def __init__(self, source: Repository) -> None:
        self._source = source
        self._paths: list[tuple[str, str]] = []
        self._at: float | None = None
        self._lock = Lock()
        self._looking: Thread | None = None
        self._renew()

    def like(self, part: str, most: int) -> list[str]:
        """Paths that have all parts of `part` (between slashes and blanks) in this order, the likeliest first."""
        self._renew()
        wanted = part.lower()
        pieces = wanted.replace("/", " ").split()
        fitting: Iterable[tuple[str, str]] = self._paths
        for piece in sorted(set(pieces), key=len, reverse=True):
            fitting = [pair for pair in fitting if piece in pair[0]]
        found = list(islice((pair for pair in fitting if _in_order(pair[0], pieces)), RANKED))
        return [path for _, path in sorted(found, key=lambda pair: _rank(pair[0], wanted))[:most]]

    def wait(self) -> None:
        """Until the listing under way is done."""
        if self._looking:
            self._looking.join()

    def _renew(self) -> None:
        with self._lock:
            fresh = self._at is not None and time.monotonic() - self._at < FRESH
            if fresh or (self._looking is not None and self._looking.is_alive()):
                return
            self._looking = Thread(target=self._look, name="paths", daemon=True)
            self._looking.start()

    def _look(self) -> None:
        files = _listed(self._source)
        folders = {f"{path[: at + 1]}" for path in files for at in _slashes(path)}
        found = sorted({*files, *folders}, key=lambda path: (path.rstrip("/").count("/"), len(path), path))
        self._paths = [(path.lower(), path) for path in found]
        self._at = time.monotonic()


def _listed(source: Repository) -> list[str]:
    """The files; where git cannot list them, as of a bare repository, the first ones."""
    try:
        out = source._git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    except GitFailed:
        return list(islice(_walked(source.root), MOST_WALKED))
    return sorted({decode(path) for path in out.split(b"\0")[:-1]})


def _walked(root: Path) -> Iterator[str]:
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
    """A path that begins so, then a name that does, then one that has it; the shorter first."""
    name = path.rstrip("/").rpartition("/")[2]
    return (not path.startswith(wanted), not name.startswith(wanted), wanted not in path, len(path), path)
