"""CPU seconds of this process and of everything that it starts, including processes that no process waits for."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path

SUBREAPER = 36
"""Option of prctl(2) that makes orphaned descendants children of this process."""


def adopt_orphans() -> None:
    """Keep orphaned descendants as children of this process, on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)


def cpu_seconds() -> float:
    """Return the CPU seconds so far. On systems without /proc, those of running descendants are missing."""
    return sum(os.times()[:4]) + _descendants()


def reap_orphans() -> None:
    """Remove ended children. Must not be called while a `Popen` object is still needed."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _descendants() -> float:
    """Return the CPU seconds of the descendants that still exist, and of those that they waited for."""
    children: dict[int, list[tuple[int, int]]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = file.read_text("ascii", "replace").rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append((int(file.parent.name), sum(map(int, fields[11:15]))))
    ticks, waiting = 0, [os.getpid()]
    while waiting:
        found = children.get(waiting.pop(), [])
        ticks += sum(count for _, count in found)
        waiting += [id for id, _ in found]
    return ticks / os.sysconf("SC_CLK_TCK")
