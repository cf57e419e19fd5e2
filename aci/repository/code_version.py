"""Version numbers of caches, derived from the source code that fills them.

Each version has its own file. Files of other versions are removed once they have not been used for a month.
"""

from __future__ import annotations

import os
import re
import time
import zlib
from contextlib import suppress
from functools import cache
from pathlib import Path

MONTH = 30 * 86400.0
"""Number of seconds in 30 days."""
_GRAMMAR = re.compile(rb"\btree_sitter\w*")


@cache
def version_of(*patterns: str) -> int:
    """Return a number that changes with the source of these files of `aci`, and with the parsers that they import."""
    from importlib.metadata import PackageNotFoundError, version

    folder = Path(__file__).parents[1]
    sources = [file.read_bytes() for pattern in patterns for file in sorted(folder.glob(pattern))]
    packages = sorted({name.decode().replace("_", "-") for source in sources for name in _GRAMMAR.findall(source)})
    for name in packages:
        with suppress(PackageNotFoundError):  # an identifier that starts with tree_sitter but is not a package
            sources.append(f"{name} {version(name)}".encode())
    return zlib.crc32(b"\0".join(sources)) & 0x7FFFFFFF  # SQLite's user_version is signed


def cache_file(folder: Path, name: str, version: int) -> Path:
    """Return the cache's file; remove files of other versions that have not been used for a month."""
    own = folder / f"{name}-{version:08x}.sqlite"
    for file in folder.glob(f"{name}*.sqlite*"):
        with suppress(OSError):  # another process has removed it, or it is a folder
            if file.name.startswith(f"{own.stem}."):
                os.utime(file)
            elif re.fullmatch(rf"{name}(-[0-9a-f]{{8}})?(\.\d+)?\.sqlite(-wal|-shm)?", file.name) and _is_old(file):
                file.unlink()
    return own


def _is_old(file: Path) -> bool:
    return file.stat().st_mtime < time.time() - MONTH
