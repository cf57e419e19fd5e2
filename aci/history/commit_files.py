"""The files that each commit of a family (a repository and its clones) changed, stored in columns; current paths of
renamed files; files that often change together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
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


MOST_AT_ONCE = 30
"""Commits that change more files than this are ignored."""
DOUBT = 3
"""Pseudocount: number of commits added to the total of each file, so that a single common commit does not result in a
high share."""


def find_present_paths(paths: Iterable[str], present: Collection[str]) -> dict[str, str]:
    """Return the current path of each missing file: the present path with the most trailing components in common, if it
    is unique.

    If only the file name is the same, no other file may have that name.
    """
    gone = {path for path in paths if path not in present}
    if not gone:
        return {}
    named: dict[str, list[str]] = defaultdict(list)
    for path in present:
        named[path.rpartition("/")[2]].append(path)
    found = {path: _most_similar(path, named.get(path.rpartition("/")[2], ())) for path in gone}
    return {path: present_path for path, present_path in found.items() if present_path}


def unique_file_names(present: Iterable[str]) -> dict[str, str]:
    """Map each file name that occurs only once, except `__init__.py`, to its path."""
    named: dict[str, list[str]] = defaultdict(list)
    for path in present:
        named[path.rpartition("/")[2]].append(path)
    return {name: paths[0] for name, paths in named.items() if len(paths) == 1 and name != "__init__.py"}


def _most_similar(path: str, candidates: Sequence[str]) -> str:
    parts = path.split("/")
    shared = {candidate: _common_suffix(parts, candidate.split("/")) for candidate in candidates}
    most = max(shared.values(), default=0)
    best = [candidate for candidate, common in shared.items() if common == most]
    certain = most > 1 or (len(candidates) == 1 and parts[-1] != "__init__.py")
    return best[0] if len(best) == 1 and certain else ""


def _common_suffix(parts: Sequence[str], others: Sequence[str]) -> int:
    """Return the number of trailing components that two paths have in common."""
    common = 0
    for one, other in zip(reversed(parts), reversed(others), strict=False):
        if one != other:
            break
        common += 1
    return common


def changed_together(changes: Iterable[Sequence[str]], paths: Iterable[str], most: int) -> dict[str, dict[str, float]]:
    """Return the files that changed together with each path, best first, each with the weighted share of the path's
    commits that also changed it (0 to 1).

    Each item of `changes` holds the files of one commit. A commit's weight decreases with the number of files that it
    changed.
    """
    wanted = set(paths)
    often: Counter[str] = Counter()
    shares: dict[str, defaultdict[str, float]] = {path: defaultdict(float) for path in wanted}
    for files in changes:
        touched = wanted.intersection(files) if len(files) <= MOST_AT_ONCE else ()
        for path in touched:
            often[path] += 1
            for other in files:
                if other != path:
                    shares[path][other] += 1 / (len(files) - 1)
    return {
        path: {other: round(share / (often[path] + DOUBT), 6) for other, share in _best(found, most)}
        for path, found in sorted(shares.items())
    }


def _best(shares: Mapping[str, float], most: int) -> list[tuple[str, float]]:
    return sorted(shares.items(), key=lambda item: (-item[1], item[0]))[:most]
