"""The graph on disk: outlines by blob, postings by segment, edges by file, and which of them make up a tree.

Blobs are shared by all trees, commits and clones; two trees share the edges of files whose imports reach the same.
"""

from __future__ import annotations

import marshal
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection
from typing import Any, NamedTuple

from aci.cache import Cache, Damaged, Gone, sealed, unsealed
from aci.graph.links import Bundle, packed
from aci.graph.outline import Outline, decode, encode
from aci.graph.postings import Bucket, Documents, Postings, Segment, bucket_of
from aci.graph.resolve import Resolved
from aci.version import file_of, version_of
from trajectories.errors import WorkspaceError

MADE_BY = ("graph/**/*.py", "words.py")
"""The code that decides what is stored."""
SCHEMA = """
CREATE TABLE segments (id INTEGER PRIMARY KEY AUTOINCREMENT, buckets INTEGER NOT NULL, documents BLOB NOT NULL,
    names BLOB NOT NULL);
CREATE TABLE blobs (key TEXT PRIMARY KEY, segment INTEGER NOT NULL, number INTEGER NOT NULL, reason TEXT NOT NULL,
    seal INTEGER NOT NULL, outline BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE postings (segment INTEGER, bucket INTEGER, data BLOB NOT NULL, PRIMARY KEY (segment, bucket));
CREATE TABLE edges (id INTEGER PRIMARY KEY AUTOINCREMENT, bundle BLOB NOT NULL);
CREATE TABLE trees (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT UNIQUE NOT NULL, used REAL NOT NULL,
    kin INTEGER NOT NULL, manifest BLOB NOT NULL)
"""
AT_ONCE = 500
HOUR = 3600.0
"""Seconds between two notes that a tree was used."""
LARGEST = 2_000_000_000
"""Bytes; above it the trees that were used longest ago make room."""


class Spot(NamedTuple):
    """Where a blob's documents are: its number in a segment; `reason` says why it has none."""

    segment: int
    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a tree is made of: for each indexed path, in order, its blob, where that is, and the bundle of its edges."""

    paths: tuple[str, ...]
    keys: tuple[str, ...]
    segments: tuple[int, ...]
    numbers: tuple[int, ...]
    edges: tuple[int, ...]
    left_out: Mapping[str, str]

    def packed(self) -> bytes:
        columns = (self.paths, self.keys, self.segments, self.numbers, self.edges, dict(self.left_out))
        return zlib.compress(marshal.dumps(columns, 4), 1)

    @staticmethod
    def unpacked(data: bytes) -> Manifest:
        return Manifest(*marshal.loads(zlib.decompress(data)))


class Parsed(NamedTuple):
    """A blob that was not known; one that is left out has a reason and an empty outline."""

    key: str
    outline: Outline
    reason: str = ""


class Store:
    """Without a folder it lives in memory."""

    def __init__(self, folder: Path | None) -> None:
        self.cache = Cache(file_in(folder) if folder else None, SCHEMA, version_of(*MADE_BY))

    def close(self) -> None:
        self.cache.close()

    # Trees

    def manifest(self, key: str) -> Manifest | None:
        rows = self.cache.read("SELECT used, manifest FROM trees WHERE key = ?", (key,))
        for used, manifest in rows:
            if used < time.time() - HOUR:
                with suppress(WorkspaceError), self.cache.writing() as write:
                    write.execute("UPDATE trees SET used = ? WHERE key = ?", (time.time(), key))
            return Manifest.unpacked(unsealed(manifest, f"tree {key}"))
        return None

    def recent(self, paths: Iterable[str], most: int = 8) -> list[Manifest]:
        """The manifests made last, those of trees like one with these paths first."""
        query = "SELECT key, manifest FROM trees ORDER BY kin = ? DESC, id DESC LIMIT ?"
        rows = self.cache.read(query, (_kin(paths), most))
        return [Manifest.unpacked(unsealed(data, f"tree {key}")) for key, data in rows]

    def keep(self, key: str, manifest: Manifest) -> None:
        """Raises Gone where another process has dropped some of it meanwhile, to make room."""
        row = (key, time.time(), _kin(manifest.paths), sealed(manifest.packed(), f"tree {key}"))
        with self.cache.writing() as write:
            _insist(write, "segments", manifest.segments)
            _insist(write, "edges", manifest.edges)
            write.execute("INSERT OR REPLACE INTO trees (key, used, kin, manifest) VALUES (?, ?, ?, ?)", row)
        if self.cache.size() > LARGEST:
            make_room(self.cache, LARGEST // 2)

    # Blobs

    def known(self, keys: Iterable[str]) -> dict[str, Spot]:
        wanted = list(dict.fromkeys(keys))
        rows = self._many("SELECT key, segment, number, reason, seal FROM blobs WHERE key IN (%s)", wanted)
        if any(_seal(*row) != seal for *row, seal in rows):
            raise Damaged("A blob's row is not what was stored")
        return {key: Spot(segment, number, reason) for key, segment, number, reason, _ in rows}

    def outline(self, key: str) -> Outline:
        return decode(unsealed(self._one("SELECT outline FROM blobs WHERE key = ?", key)[0], f"outline {key}"))

    def add(self, blobs: Sequence[Parsed], segment: Segment, before: Mapping[str, Spot]) -> dict[str, Spot]:
        """Write a segment, unless all of its blobs are elsewhere than before; returns where they are.

        Then another process has just written them.
        """
        outlines = [sealed(encode(blob.outline), f"outline {blob.key}") for blob in blobs]
        with self.cache.writing() as write:
            there = self.known(blob.key for blob in blobs)
            if all(blob.key in there and there[blob.key] != before.get(blob.key) for blob in blobs):
                return there
            id = _written(write, segment)
            spots = [(blob.key, id, number, blob.reason) for number, blob in enumerate(blobs)]
            rows = [(*spot, _seal(*spot), outline) for spot, outline in zip(spots, outlines, strict=True)]
            write.executemany("INSERT OR REPLACE INTO blobs VALUES (?, ?, ?, ?, ?, ?)", sorted(rows))
        return {key: Spot(segment, number, reason) for key, segment, number, reason in spots}

    # Segments

    def documents(self, segment: int) -> Documents:
        found = self._one("SELECT documents FROM segments WHERE id = ?", segment)
        return Documents.unpacked(unsealed(found[0], f"documents {segment}"))

    def names(self, segment: int) -> list[str]:
        """All bare names that its blobs define."""
        found = self._one("SELECT names FROM segments WHERE id = ?", segment)
        names: list[str] = marshal.loads(unsealed(found[0], f"names {segment}"))
        return names

    def postings(self, segment: int, terms: Sequence[str]) -> dict[str, Postings]:
        """Of the terms that are in it."""
        buckets = self._one("SELECT buckets FROM segments WHERE id = ?", segment)[0]
        wanted = {term: bucket_of(term, buckets) for term in terms}
        query = f"SELECT bucket, data FROM postings WHERE segment = {segment} AND bucket IN (%s)"
        found = {number: _bucket(segment, number, data) for number, data in self._all(query, wanted.values())}
        postings = {term: found[bucket].of(term) for term, bucket in wanted.items()}
        return {term: one for term, one in postings.items() if one is not None}

    # Edges

    def link(self, resolved: Mapping[str, Resolved]) -> int:
        """Write the edges of files, by path; returns the bundle's number."""
        data = packed(resolved)
        with self.cache.writing() as write:
            id = write.execute("INSERT INTO edges (bundle) VALUES (x'')").lastrowid or 0
            write.execute("UPDATE edges SET bundle = ? WHERE id = ?", (sealed(data, f"bundle {id}"), id))
        return id

    def bundle(self, number: int) -> Bundle:
        return Bundle(unsealed(self._one("SELECT bundle FROM edges WHERE id = ?", number)[0], f"bundle {number}"))

    # Beneath

    def _one(self, query: str, key: object) -> tuple[Any, ...]:
        """The row, which must be there."""
        for row in self.cache.read(query, (key,)):
            return row
        raise Gone(f"No row for {key}: {query}")

    def _all(self, query: str, keys: Iterable[Any]) -> list[tuple[Any, ...]]:
        """The rows of these keys, all of which must be there."""
        wanted = sorted(set(keys))
        rows = self._many(query, wanted)
        if len(rows) != len(wanted):
            raise Gone(f"Rows are missing: {query}")
        return rows

    def _many(self, query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        for at in range(0, len(values), AT_ONCE):
            some = values[at : at + AT_ONCE]
            rows += self.cache.read(query % ",".join("?" * len(some)), some)
        return rows


def file_in(folder: Path) -> Path:
    return file_of(folder, "graph", version_of(*MADE_BY))


def _insist(write: Connection, table: str, ids: Iterable[int]) -> None:
    wanted = set(ids)
    numbers = ",".join(map(str, wanted))
    (found,) = write.execute(f"SELECT count(*) FROM {table} WHERE id IN ({numbers})").fetchone()
    if found < len(wanted):
        raise Gone(f"Rows of {table} are missing")


def _kin(paths: Iterable[str]) -> int:
    """Most commits of a project have the same."""
    return zlib.crc32("/".join(sorted({path.partition("/")[0] for path in paths})).encode("utf-8", "surrogateescape"))


def _seal(key: object, segment: object, number: object, reason: object) -> int:
    return zlib.crc32(f"{key} {segment} {number} {reason}".encode("utf-8", "replace"))


def _bucket(segment: int, number: int, data: object) -> Bucket:
    return Bucket.unpacked(unsealed(data, f"bucket {segment} {number}"))


def make_room(cache: Cache, most: int) -> None:
    """Drop the trees used longest ago, and what only they need, until so many bytes are left, or one tree."""
    with cache.writing() as write:
        trees = write.execute("SELECT key, manifest FROM trees ORDER BY used, id").fetchall()
        while len(trees) > 1 and cache.size() > most:
            dropped, trees = trees[: len(trees) // 2], trees[len(trees) // 2 :]
            write.executemany("DELETE FROM trees WHERE key = ?", [(key,) for key, _ in dropped])
            _drop_orphans(write, [Manifest.unpacked(unsealed(data, f"tree {key}")) for key, data in trees])


def _drop_orphans(write: Connection, manifests: Sequence[Manifest]) -> None:
    keys = {key for manifest in manifests for key in manifest.keys}
    segments = {segment for manifest in manifests for segment in manifest.segments}
    segments |= {segment for key, segment in write.execute("SELECT key, segment FROM blobs") if key in keys}
    bundles = {bundle for manifest in manifests for bundle in manifest.edges}
    needed = ",".join(map(str, sorted(segments)))
    for table, column in (("blobs", "segment"), ("postings", "segment"), ("segments", "id")):
        write.execute(f"DELETE FROM {table} WHERE {column} NOT IN ({needed})")
    write.execute(f"DELETE FROM edges WHERE id NOT IN ({','.join(map(str, sorted(bundles)))})")


def _written(write: Connection, segment: Segment) -> int:
    buckets = len(segment.buckets)
    id = (
        write.execute("INSERT INTO segments (buckets, documents, names) VALUES (?, x'', x'')", (buckets,)).lastrowid
        or 0
    )
    documents = sealed(segment.documents.packed(), f"documents {id}")
    names = sealed(marshal.dumps(segment.names, 4), f"names {id}")
    write.execute("UPDATE segments SET documents = ?, names = ? WHERE id = ?", (documents, names, id))
    rows = ((id, n, sealed(bucket.packed(), f"bucket {id} {n}")) for n, bucket in enumerate(segment.buckets))
    write.executemany("INSERT INTO postings VALUES (?, ?, ?)", rows)
    return id
