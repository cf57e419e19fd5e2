"""Which code made what a cache holds. What other code made lies beside it, until nobody has used it for a month."""

from __future__ import annotations

import os
import re
import time
import zlib
from contextlib import suppress
from functools import cache
from pathlib import Path

MONTH = 30 * 86400.0
"""Seconds."""
_GRAMMAR = re.compile(rb"\btree_sitter\w*")


@cache
def version_of(*patterns: str) -> int:
    """A number that changes with the source of some files of this package, and with the parsers that these import."""
    from importlib.metadata import PackageNotFoundError, version

    folder = Path(__file__).parent
    sources = [file.read_bytes() for pattern in patterns for file in sorted(folder.glob(pattern))]
    packages = sorted({name.decode().replace("_", "-") for source in sources for name in _GRAMMAR.findall(source)})
    for name in packages:
        with suppress(PackageNotFoundError):  # a word that begins so
            sources.append(f"{name} {version(name)}".encode())
    return zlib.crc32(b"\0".join(sources)) & 0x7FFFFFFF  # SQLite's is signed


def file_of(folder: Path, name: str, version: int) -> Path:
    """The cache's file; those of other versions that were not used for long are removed."""
    own = folder / f"{name}-{version:08x}.sqlite"
    for file in folder.glob(f"{name}*.sqlite*"):
        with suppress(OSError):  # another process does the same, or it is a folder
            if file.name.startswith(f"{own.stem}."):
                os.utime(file)
            elif re.fullmatch(rf"{name}(-[0-9a-f]{{8}})?(\.\d+)?\.sqlite(-wal|-shm)?", file.name) and _is_old(file):
                file.unlink()
    return own


def _is_old(file: Path) -> bool:
    return file.stat().st_mtime < time.time() - MONTH
