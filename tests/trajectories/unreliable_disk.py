"""A disk that loses a random part of what was not synced."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECTOR = 512


class Crash(BaseException):
    pass


class Disk:
    """Record what is written under `root` and, at event `stop`, create an `image` as a loss of power leaves it.

    Unsynced bytes of a file survive or not, sector by sector, and read as zeros beyond the surviving part; each name
    in an unsynced folder is the old or the new one.
    """

    def __init__(self, root: Path, image: Path, stop: int, seed: int) -> None:
        self.root, self.image, self.stop = root, image, stop
        self.events = 0
        self.journal_syncs: list[int] = []
        """The events at which a journal is synced."""
        self._rng = random.Random(seed)
        self._files: dict[int, bytes] = {}
        self._names: dict[int, dict[str, int]] = {}
        self._real: dict[str, Any] = {name: getattr(os, name) for name in ("write", "fsync", "replace", "mkdir")}

    @contextmanager
    def patched_os(self) -> Iterator[None]:
        for name in self._real:
            setattr(os, name, getattr(self, name))
        try:
            yield
        finally:
            for name, real in self._real.items():
                setattr(os, name, real)

    def write(self, file: int, data: bytes) -> int:
        if self._is_now():
            self._real["write"](file, bytes(data)[: self._rng.randint(0, len(data))])
            self._crash()
        return self._real["write"](file, data)

    def fsync(self, file: int) -> None:
        if self._is_now():
            self._crash()
        if Path(f"/proc/self/fd/{file}").readlink().name == "journal.jsonl":
            self.journal_syncs.append(self.events)
        status = os.fstat(file)
        if Path(f"/proc/self/fd/{file}").is_dir():
            self._names[status.st_ino] = _names(Path(f"/proc/self/fd/{file}"))
        else:
            self._files[status.st_ino] = Path(f"/proc/self/fd/{file}").read_bytes()

    def replace(self, *names: Any, **options: Any) -> None:
        if self._is_now():
            self._crash()
        self._real["replace"](*names, **options)

    def mkdir(self, *names: Any, **options: Any) -> None:
        if self._is_now():
            self._crash()
        self._real["mkdir"](*names, **options)

    def _is_now(self) -> bool:
        self.events += 1
        return self.events == self.stop

    def _crash(self) -> None:
        paths = {path.stat().st_ino: path for path in self.root.rglob("*")}
        self._copy_image(self.root, self.image, paths)
        raise Crash

    def _copy_image(self, folder: Path, image: Path, paths: dict[int, Path]) -> None:
        image.mkdir()
        current, synced = _names(folder), self._names.get(folder.stat().st_ino, {})
        for name in sorted(current | synced):
            node = (
                current.get(name)
                if current.get(name) == synced.get(name)
                else self._rng.choice([current, synced]).get(name)
            )
            path = paths.get(node) if node else None
            if path is not None and path.is_dir():
                self._copy_image(path, image / name, paths)
            elif node is not None:
                present = path.read_bytes() if path else self._files[node]
                (image / name).write_bytes(self._mix_contents(present, self._files.get(node, b"")))

    def _mix_contents(self, present: bytes, synced: bytes) -> bytes:
        if present == synced:
            return present
        size = self._rng.choice([len(present), len(synced), self._rng.randint(*sorted((len(present), len(synced))))])
        parts = (
            self._rng.choice([present, synced])[at : at + SECTOR].ljust(SECTOR, b"\0") for at in range(0, size, SECTOR)
        )
        return b"".join(parts)[:size]


def _names(folder: Path) -> dict[str, int]:
    return {entry.name: entry.inode() for entry in os.scandir(folder)}
