"""Column-wise storage of the files that each commit of a family (a repository and its clones) changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aci.repository.disk_cache import Cache, Damaged

if TYPE_CHECKING:
    import sqlite3

    from aci.history.array_types import Numbers

SCHEMA = "CREATE TABLE changed (family INTEGER PRIMARY KEY, paths BLOB, counts BLOB, files BLOB)"
MOST = 100
"""Maximum number of files stored for a commit; merges and commits that changed more files are stored without files."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The files that commits changed.

    `counts` holds the number of files of each commit; `files` holds the indexes of these files in `paths`, in the order
    of the commits.
    """

    paths: list[str]
    counts: Numbers
    files: Numbers


def load_changes(cache: Cache, family: int, commits: int) -> Changes:
    """Return the changes of the first `commits` commits of a family."""
    row = cache.read("SELECT paths, counts, files FROM changed WHERE family = ?", (family,))
    paths, counts, files = row[0] if row else (b"", b"", b"")
    each = np.frombuffer(counts, np.uint8).astype(np.int64)
    if len(each) < commits or each.sum() * 4 != len(files):
        raise Damaged(f"the changes of family {family} are cut off")
    each = each[:commits]  # other processes may have added commits since
    return Changes(_paths(paths), each, np.frombuffer(files, np.uint32)[: each.sum()].astype(np.int64))


def store_changes(
    store: sqlite3.Connection, family: int, fresh: Sequence[str], changed: Mapping[str, Sequence[str]]
) -> None:
    """Append the changes of these new commits to the stored ones."""
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


def _paths(stored: bytes) -> list[str]:
    return stored.decode("utf-8", "surrogateescape").split("\0")[:-1]
