"""Which files each commit of a family changed, kept as columns: all of them are read at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aci.cache import Cache, Damaged

if TYPE_CHECKING:
    import sqlite3

    from aci.history_index import Numbers

SCHEMA = "CREATE TABLE changed (family INTEGER PRIMARY KEY, paths BLOB, counts BLOB, files BLOB)"
MOST = 100
"""Files of a commit; one that changed more is kept as one that changed none, as is a merge."""


@dataclass(frozen=True, slots=True)
class Changes:
    """`counts` is how many files each commit changed; `files` are their numbers in `paths`, commit after commit."""

    paths: list[str]
    counts: Numbers
    files: Numbers


def known(cache: Cache, family: int, commits: int) -> Changes:
    """Of the first commits of a family."""
    row = cache.read("SELECT paths, counts, files FROM changed WHERE family = ?", (family,))
    paths, counts, files = row[0] if row else (b"", b"", b"")
    each = np.frombuffer(counts, np.uint8).astype(np.int64)
    if len(each) < commits or each.sum() * 4 != len(files):
        raise Damaged(f"the changes of family {family} are cut off")
    each = each[:commits]  # others may have added more
    return Changes(_paths(paths), each, np.frombuffer(files, np.uint32)[: each.sum()].astype(np.int64))


def add(store: sqlite3.Connection, family: int, fresh: Sequence[str], changed: Mapping[str, Sequence[str]]) -> None:
    """What these commits changed, which follow those that are there."""
    store.execute("INSERT OR IGNORE INTO changed VALUES (?, x'', x'', x'')", (family,))
    (before,) = store.execute("SELECT paths FROM changed WHERE family = ?", (family,)).fetchone()
    number = {path: place for place, path in enumerate(_paths(before))}
    known = len(number)
    few = [paths if len(paths) <= MOST else () for paths in (changed.get(id, ()) for id in fresh)]
    files = [number.setdefault(path, len(number)) for paths in few for path in paths]
    more = "".join(f"{path}\0" for path in list(number)[known:]).encode("utf-8", "surrogateescape")
    store.execute(
        "UPDATE changed SET paths = CAST(paths || ? AS BLOB), counts = CAST(counts || ? AS BLOB),"
        " files = CAST(files || ? AS BLOB) WHERE family = ?",
        (more, bytes(map(len, few)), np.asarray(files, np.uint32).tobytes(), family),
    )


def _paths(said: bytes) -> list[str]:
    return said.decode("utf-8", "surrogateescape").split("\0")[:-1]
