"""A disk that keeps what was synced, and of the rest what it likes."""

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
    """Follows what is written under `root` and, at event `stop`, makes an `image` of what a loss of power leaves.

    Bytes of a file that were not synced are there or not, sector by sector, and read as zeros where the file is longer
    than what is there; names in a folder that was not synced are the old or the new ones, each for itself.
    """

    def __init__(self, root: Path, image: Path, stop: int, seed: int) -> None:
        self.root, self.image, self.stop = root, image, stop
        self.events = 0
        self.appended: list[int] = []
        """The events at which a journal is synced."""
        self._chance = random.Random(seed)
        self._files: dict[int, bytes] = {}
        self._names: dict[int, dict[str, int]] = {}
        self._real: dict[str, Any] = {name: getattr(os, name) for name in ("write", "fsync", "replace", "mkdir")}

    @contextmanager
    def watched(self) -> Iterator[None]:
        for name in self._real:
            setattr(os, name, getattr(self, name))
        try:
            yield
        finally:
            for name, real in self._real.items():
                setattr(os, name, real)

    def write(self, file: int, data: bytes) -> int:
        if self._is_now():
            self._real["write"](file, bytes(data)[: self._chance.randint(0, len(data))])
            self._lose()
        return self._real["write"](file, data)

    def fsync(self, file: int) -> None:
        if self._is_now():
            self._lose()
        if Path(f"/proc/self/fd/{file}").readlink().name == "journal.jsonl":
            self.appended.append(self.events)
        about = os.fstat(file)
        if Path(f"/proc/self/fd/{file}").is_dir():
            self._names[about.st_ino] = _names(Path(f"/proc/self/fd/{file}"))
        else:
            self._files[about.st_ino] = Path(f"/proc/self/fd/{file}").read_bytes()

    def replace(self, *names: Any, **more: Any) -> None:
        if self._is_now():
            self._lose()
        self._real["replace"](*names, **more)

    def mkdir(self, *names: Any, **more: Any) -> None:
        if self._is_now():
            self._lose()
        self._real["mkdir"](*names, **more)

    def _is_now(self) -> bool:
        self.events += 1
        return self.events == self.stop

    def _lose(self) -> None:
        there = {path.stat().st_ino: path for path in self.root.rglob("*")}
        self._pour(self.root, self.image, there)
        raise Crash

    def _pour(self, folder: Path, image: Path, there: dict[int, Path]) -> None:
        image.mkdir()
        now, synced = _names(folder), self._names.get(folder.stat().st_ino, {})
        for name in sorted(now | synced):
            node = now.get(name) if now.get(name) == synced.get(name) else self._chance.choice([now, synced]).get(name)
            path = there.get(node) if node else None
            if path is not None and path.is_dir():
                self._pour(path, image / name, there)
            elif node is not None:
                present = path.read_bytes() if path else self._files[node]
                (image / name).write_bytes(self._left(present, self._files.get(node, b"")))

    def _left(self, present: bytes, synced: bytes) -> bytes:
        if present == synced:
            return present
        size = self._chance.choice(
            [len(present), len(synced), self._chance.randint(*sorted((len(present), len(synced))))]
        )
        parts = (
            self._chance.choice([present, synced])[at : at + SECTOR].ljust(SECTOR, b"\0")
            for at in range(0, size, SECTOR)
        )
        return b"".join(parts)[:size]


def _names(folder: Path) -> dict[str, int]:
    return {entry.name: entry.inode() for entry in os.scandir(folder)}
