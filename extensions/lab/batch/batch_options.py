"""The options of `swe-agent batch`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """The options of a batch: `flags` holds settings given as flags, `workers` is the number of simultaneous
    instances."""

    files: tuple[Path, ...]
    out: Path
    flags: Mapping[str, Any]
    workers: int
    repos: Path | None = None
    filter: str = ""
    seed: int | None = None
    slice: str = ""
    repeat: int = 1
    total: float | None = None
    hints: bool = False
    disk_limit: str = ""
    tries: int = 3
    engine: str = "local"
    engine_options: tuple[str, ...] = ()
    leaderboard: Path | None = None
    before_images: Callable[[int], object] | None = None
    """Called with the number of instances before a new batch pulls images."""

    @property
    def noted(self) -> dict[str, object]:
        """The batch's own flags, for the manifest."""
        return {
            "filter": self.filter,
            "shuffle": self.seed,
            "slice": self.slice,
            "repeat": self.repeat,
            "workers": self.workers,
            "total": self.total,
            "hints": self.hints,
            "engine": self.engine,
        }


def default_workers() -> int:
    """Return the default number of workers. They mostly wait for the model, but also run tests."""
    return max(2, min(8, os.cpu_count() or 2))
