"""The graph on disk: outlines by blob, postings by segment, edges by file, and the manifest of each tree.

All trees, commits and clones share blobs. Two trees share the edges of a file if everything that these edges depend on
is the same.
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

from aci.graph.edge_columns import Bundle, pack_edges
from aci.graph.name_resolution import ResolvedReferences
from aci.graph.outline import Outline, decode_outline, encode_outline
from aci.graph.term_postings import Bucket, Documents, Postings, Segment, bucket_of
from aci.repository.disk_cache import (
    Cache,
    Damaged,
    EntryEvicted,
    add_checksum,
    cache_file,
    remove_checksum,
    version_of,
)
from trajectories.errors import WorkspaceError

CODE_PATTERNS = ("graph/**/*.py", "issue_text/issue_mentions.py")
CODE_KINDS = ("aci.graph.languages",)
"""The source files and the plug-ins that determine what is stored; if one of them changes, a new cache is used."""
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
BATCH = 500
HOUR = 3600.0
"""Minimum number of seconds between two updates of the time at which a tree was last used."""
LARGEST = 2_000_000_000
"""Size of the cache in bytes above which the least recently used trees are removed."""


class BlobPosition(NamedTuple):
    """The position of a blob's documents: the segment and the blob's number in it; `reason` says why a blob was not
    indexed."""

    segment: int
    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The parts of a tree: for each indexed path, the key and position of its blob, and the bundle with its edges."""

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


class ParsedBlob(NamedTuple):
    """A newly parsed blob; if it is excluded, it has a reason and an empty outline."""

    key: str
    outline: Outline
    reason: str = ""


class Store:
    """A store of code graphs, in a folder or, if there is none, in memory."""

    def __init__(self, folder: Path | None) -> None:
        self.cache = Cache(file_in(folder) if folder else None, SCHEMA, version_of(*CODE_PATTERNS, kinds=CODE_KINDS))

    def close(self) -> None:
        self.cache.close()

    # Trees

    def manifest(self, key: str) -> Manifest | None:
        rows = self.cache.read("SELECT used, manifest FROM trees WHERE key = ?", (key,))
        for used, manifest in rows:
            if used < time.time() - HOUR:
                with suppress(WorkspaceError), self.cache.writing() as write:
                    write.execute("UPDATE trees SET used = ? WHERE key = ?", (time.time(), key))
            return Manifest.unpacked(remove_checksum(manifest, f"tree {key}"))
        return None

    def recent(self, paths: Iterable[str], most: int = 8) -> list[Manifest]:
        """Return the newest manifests; those of trees with the same top-level names as these paths come first."""
        query = "SELECT key, manifest FROM trees ORDER BY kin = ? DESC, id DESC LIMIT ?"
        rows = self.cache.read(query, (_top_level_hash(paths), most))
        return [Manifest.unpacked(remove_checksum(data, f"tree {key}")) for key, data in rows]

    def keep(self, key: str, manifest: Manifest) -> None:
        """Store a manifest. Raises EntryEvicted if another process has removed some of its parts in the meantime to
        free space."""
        row = (key, time.time(), _top_level_hash(manifest.paths), add_checksum(manifest.packed(), f"tree {key}"))
        with self.cache.writing() as write:
            _require_rows(write, "segments", manifest.segments)
            _require_rows(write, "edges", manifest.edges)
            write.execute("INSERT OR REPLACE INTO trees (key, used, kin, manifest) VALUES (?, ?, ?, ?)", row)
        if self.cache.size() > LARGEST:
            drop_old_trees(self.cache, LARGEST // 2)

    # Blobs

    def known(self, keys: Iterable[str]) -> dict[str, BlobPosition]:
        wanted = list(dict.fromkeys(keys))
        rows = self._many("SELECT key, segment, number, reason, seal FROM blobs WHERE key IN (%s)", wanted)
        if any(_checksum(*row) != seal for *row, seal in rows):
            raise Damaged("A blob's row is not what was stored")
        return {key: BlobPosition(segment, number, reason) for key, segment, number, reason, _ in rows}

    def outline(self, key: str) -> Outline:
        return decode_outline(
            remove_checksum(self._one("SELECT outline FROM blobs WHERE key = ?", key)[0], f"outline {key}")
        )

    def add(
        self, blobs: Sequence[ParsedBlob], segment: Segment, before: Mapping[str, BlobPosition]
    ) -> dict[str, BlobPosition]:
        """Store parsed blobs and their segment; return the positions of the blobs.

        Nothing is written if another process has just stored all of them, so that their positions differ from `before`.
        """
        outlines = [add_checksum(encode_outline(blob.outline), f"outline {blob.key}") for blob in blobs]
        with self.cache.writing() as write:
            stored = self.known(blob.key for blob in blobs)
            if all(blob.key in stored and stored[blob.key] != before.get(blob.key) for blob in blobs):
                return stored
            id = _write_segment(write, segment)
            spots = [(blob.key, id, number, blob.reason) for number, blob in enumerate(blobs)]
            rows = [(*spot, _checksum(*spot), outline) for spot, outline in zip(spots, outlines, strict=True)]
            write.executemany("INSERT OR REPLACE INTO blobs VALUES (?, ?, ?, ?, ?, ?)", sorted(rows))
        return {key: BlobPosition(segment, number, reason) for key, segment, number, reason in spots}

    # Segments

    def documents(self, segment: int) -> Documents:
        found = self._one("SELECT documents FROM segments WHERE id = ?", segment)
        return Documents.unpacked(remove_checksum(found[0], f"documents {segment}"))

    def names(self, segment: int) -> list[str]:
        """Return all bare names that the blobs of a segment define."""
        found = self._one("SELECT names FROM segments WHERE id = ?", segment)
        names: list[str] = marshal.loads(remove_checksum(found[0], f"names {segment}"))
        return names

    def postings(self, segment: int, terms: Sequence[str]) -> dict[str, Postings]:
        """Return the postings of the terms that occur in a segment."""
        buckets = self._one("SELECT buckets FROM segments WHERE id = ?", segment)[0]
        wanted = {term: bucket_of(term, buckets) for term in terms}
        query = f"SELECT bucket, data FROM postings WHERE segment = {segment} AND bucket IN (%s)"
        found = {number: _bucket(segment, number, data) for number, data in self._all(query, wanted.values())}
        postings = {term: found[bucket].of(term) for term, bucket in wanted.items()}
        return {term: one for term, one in postings.items() if one is not None}

    # Edges

    def link(self, resolved: Mapping[str, ResolvedReferences]) -> int:
        """Store the edges of the files as a bundle; return the bundle's number."""
        data = pack_edges(resolved)
        with self.cache.writing() as write:
            id = write.execute("INSERT INTO edges (bundle) VALUES (x'')").lastrowid or 0
            write.execute("UPDATE edges SET bundle = ? WHERE id = ?", (add_checksum(data, f"bundle {id}"), id))
        return id

    def bundle(self, number: int) -> Bundle:
        return Bundle(
            remove_checksum(self._one("SELECT bundle FROM edges WHERE id = ?", number)[0], f"bundle {number}")
        )

    # Queries

    def _one(self, query: str, key: object) -> tuple[Any, ...]:
        """Return the row with a key. Raises EntryEvicted if there is none."""
        for row in self.cache.read(query, (key,)):
            return row
        raise EntryEvicted(f"No row for {key}: {query}")

    def _all(self, query: str, keys: Iterable[Any]) -> list[tuple[Any, ...]]:
        """Return the rows with these keys. Raises EntryEvicted if one is missing."""
        wanted = sorted(set(keys))
        rows = self._many(query, wanted)
        if len(rows) != len(wanted):
            raise EntryEvicted(f"Rows are missing: {query}")
        return rows

    def _many(self, query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        for at in range(0, len(values), BATCH):
            some = values[at : at + BATCH]
            rows += self.cache.read(query % ",".join("?" * len(some)), some)
        return rows


def file_in(folder: Path) -> Path:
    return cache_file(folder, "graph", version_of(*CODE_PATTERNS, kinds=CODE_KINDS))


def _require_rows(write: Connection, table: str, ids: Iterable[int]) -> None:
    wanted = set(ids)
    numbers = ",".join(map(str, wanted))
    (found,) = write.execute(f"SELECT count(*) FROM {table} WHERE id IN ({numbers})").fetchone()
    if found < len(wanted):
        raise EntryEvicted(f"Rows of {table} are missing")


def _top_level_hash(paths: Iterable[str]) -> int:
    """Return a hash of the top-level names, which is the same for most commits of a project."""
    return zlib.crc32("/".join(sorted({path.partition("/")[0] for path in paths})).encode("utf-8", "surrogateescape"))


def _checksum(key: object, segment: object, number: object, reason: object) -> int:
    return zlib.crc32(f"{key} {segment} {number} {reason}".encode("utf-8", "replace"))


def _bucket(segment: int, number: int, data: object) -> Bucket:
    return Bucket.unpacked(remove_checksum(data, f"bucket {segment} {number}"))


def drop_old_trees(cache: Cache, most: int) -> None:
    """Remove the least recently used trees and their parts until `most` bytes, or one tree, are left."""
    with cache.writing() as write:
        trees = write.execute("SELECT key, manifest FROM trees ORDER BY used, id").fetchall()
        while len(trees) > 1 and cache.size() > most:
            dropped, trees = trees[: len(trees) // 2], trees[len(trees) // 2 :]
            write.executemany("DELETE FROM trees WHERE key = ?", [(key,) for key, _ in dropped])
            _drop_orphans(write, [Manifest.unpacked(remove_checksum(data, f"tree {key}")) for key, data in trees])


def _drop_orphans(write: Connection, manifests: Sequence[Manifest]) -> None:
    keys = {key for manifest in manifests for key in manifest.keys}
    segments = {segment for manifest in manifests for segment in manifest.segments}
    segments |= {segment for key, segment in write.execute("SELECT key, segment FROM blobs") if key in keys}
    bundles = {bundle for manifest in manifests for bundle in manifest.edges}
    needed = ",".join(map(str, sorted(segments)))
    for table, column in (("blobs", "segment"), ("postings", "segment"), ("segments", "id")):
        write.execute(f"DELETE FROM {table} WHERE {column} NOT IN ({needed})")
    write.execute(f"DELETE FROM edges WHERE id NOT IN ({','.join(map(str, sorted(bundles)))})")


def _write_segment(write: Connection, segment: Segment) -> int:
    buckets = len(segment.buckets)
    id = (
        write.execute("INSERT INTO segments (buckets, documents, names) VALUES (?, x'', x'')", (buckets,)).lastrowid
        or 0
    )
    documents = add_checksum(segment.documents.packed(), f"documents {id}")
    names = add_checksum(marshal.dumps(segment.names, 4), f"names {id}")
    write.execute("UPDATE segments SET documents = ?, names = ? WHERE id = ?", (documents, names, id))
    rows = ((id, n, add_checksum(bucket.packed(), f"bucket {id} {n}")) for n, bucket in enumerate(segment.buckets))
    write.executemany("INSERT INTO postings VALUES (?, ?, ?)", rows)
    return id
