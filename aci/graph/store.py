"""The graph on disk: outlines by blob, postings by segment, edges by file, and which of them make up a tree.

Blobs are shared by all trees, commits and clones; two trees share the edges of files whose imports reach the same.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from aci.cache import Cache, Damaged
from aci.graph.outline import Outline, decode, encode, sealed, unsealed
from aci.graph.postings import Builder, Documents, Postings
from aci.graph.resolve import Edge, Loose, Resolved

VERSION = 1
SCHEMA = """
CREATE TABLE segments (id INTEGER PRIMARY KEY, documents BLOB NOT NULL);
CREATE TABLE blobs (key TEXT PRIMARY KEY, segment INTEGER NOT NULL, number INTEGER NOT NULL, outline BLOB NOT NULL,
    reason TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE postings (segment INTEGER, term TEXT, data BLOB NOT NULL, PRIMARY KEY (segment, term)) WITHOUT ROWID;
CREATE TABLE edges (id INTEGER PRIMARY KEY, edges BLOB NOT NULL, reached BLOB NOT NULL);
CREATE TABLE trees (key TEXT PRIMARY KEY, used INTEGER NOT NULL, manifest BLOB NOT NULL) WITHOUT ROWID
"""
AT_ONCE = 500


class Spot(NamedTuple):
    """Where a blob's documents are: its number in a segment; `reason` says why it has none."""

    segment: int
    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a tree is made of: for each indexed path, in order, its blob, where that is, and the row of its edges."""

    paths: tuple[str, ...]
    keys: tuple[str, ...]
    segments: tuple[int, ...]
    numbers: tuple[int, ...]
    edges: tuple[int, ...]
    left_out: Mapping[str, str]

    def packed(self) -> bytes:
        columns = (self.paths, self.keys, self.segments, self.numbers, self.edges, dict(self.left_out))
        return sealed(marshal.dumps(columns, 4))

    @staticmethod
    def unpacked(data: bytes) -> Manifest:
        return Manifest(*marshal.loads(unsealed(data)))


class Parsed(NamedTuple):
    """A blob that was not known; one that is left out has a reason and an empty outline."""

    key: str
    outline: Outline
    reason: str = ""


class Store:
    """Without a folder it lives in memory."""

    def __init__(self, folder: Path | None) -> None:
        self.cache = Cache(folder / "graph.sqlite" if folder else None, SCHEMA, VERSION)

    def close(self) -> None:
        self.cache.close()

    # Trees

    def manifest(self, key: str) -> Manifest | None:
        rows = self.cache.read("SELECT manifest FROM trees WHERE key = ?", (key,))
        return Manifest.unpacked(rows[0][0]) if rows else None

    def recent(self, most: int = 8) -> list[Manifest]:
        """The manifests made last, newest first."""
        rows = self.cache.read("SELECT manifest FROM trees ORDER BY used DESC LIMIT ?", (most,))
        return [Manifest.unpacked(data) for (data,) in rows]

    def keep(self, key: str, manifest: Manifest) -> None:
        with self.cache.writing() as write:
            write.execute(
                "INSERT OR REPLACE INTO trees SELECT ?, coalesce(max(used), 0) + 1, ? FROM trees",
                (key, manifest.packed()),
            )

    # Blobs

    def known(self, keys: Iterable[str]) -> dict[str, Spot]:
        wanted = list(dict.fromkeys(keys))
        rows = self._many("SELECT key, segment, number, reason FROM blobs WHERE key IN (%s)", wanted)
        return {key: Spot(*spot) for key, *spot in rows}

    def outline(self, key: str) -> Outline:
        rows = self.cache.read("SELECT outline FROM blobs WHERE key = ?", (key,))
        if not rows:
            raise Damaged(f"No outline of {key}")
        return decode(rows[0][0])

    def add(self, blobs: Sequence[Parsed], builder: Builder) -> dict[str, Spot]:
        """Write a segment, unless another process has just written all of its blobs; returns where they are."""
        rows = [(blob.key, number, encode(blob.outline), blob.reason) for number, blob in enumerate(blobs)]
        documents = sealed(builder.documents().packed())
        postings = sorted((term, found.packed()) for term, found in builder.postings())
        with self.cache.writing() as write:
            there = self.known(blob.key for blob in blobs)
            if len(there) == len(blobs):
                return there
            segment = write.execute("INSERT INTO segments (documents) VALUES (?)", (documents,)).lastrowid or 0
            write.executemany(f"INSERT OR REPLACE INTO blobs VALUES (?, {segment}, ?, ?, ?)", sorted(rows))
            write.executemany(f"INSERT INTO postings VALUES ({segment}, ?, ?)", postings)
        return {blob.key: Spot(segment, number, blob.reason) for number, blob in enumerate(blobs)}

    # Segments

    def documents(self, segment: int) -> Documents:
        rows = self.cache.read("SELECT documents FROM segments WHERE id = ?", (segment,))
        if not rows:
            raise Damaged(f"No segment {segment}")
        return Documents.unpacked(unsealed(rows[0][0]))

    def postings(self, segment: int, terms: Sequence[str]) -> dict[str, Postings]:
        query = f"SELECT term, data FROM postings WHERE segment = {segment} AND term IN (%s)"
        return {term: Postings.unpacked(data) for term, data in self._many(query, list(terms))}

    def vocabulary(self, segment: int, first: str, last: str) -> list[str]:
        """The terms from `first` up to but not `last`."""
        query = "SELECT term FROM postings WHERE segment = ? AND term >= ? AND term < ?"
        return [term for (term,) in self.cache.read(query, (segment, first, last))]

    # Edges

    def link(self, resolved: Sequence[Resolved]) -> list[int]:
        """Write the edges of files; returns their rows."""
        rows = [(sealed(_packed(one)), sealed(marshal.dumps(sorted(one.reached), 4))) for one in resolved]
        insert = "INSERT INTO edges (edges, reached) VALUES (?, ?)"
        with self.cache.writing() as write:
            return [write.execute(insert, row).lastrowid or 0 for row in rows]

    def reached(self, rows: Sequence[int]) -> dict[int, tuple[str, ...]]:
        found = self._many("SELECT id, reached FROM edges WHERE id IN (%s)", list(dict.fromkeys(rows)))
        return {id: tuple(marshal.loads(unsealed(data))) for id, data in found}

    def edges(self, rows: Sequence[int]) -> dict[int, FileEdges]:
        found = self._many("SELECT id, edges FROM edges WHERE id IN (%s)", list(dict.fromkeys(rows)))
        return {id: FileEdges.unpacked(data) for id, data in found}

    def _many(self, query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        for at in range(0, len(values), AT_ONCE):
            some = values[at : at + AT_ONCE]
            rows += self.cache.read(query % ",".join("?" * len(some)), some)
        return rows


class FileEdges(NamedTuple):
    """The edges of one file in columns: `targets` are paths, `path` counts in them."""

    targets: tuple[str, ...]
    symbol: npt.NDArray[np.int32]
    kind: npt.NDArray[np.int32]
    path: npt.NDArray[np.int32]
    target: npt.NDArray[np.int32]
    line: npt.NDArray[np.int32]
    weight: npt.NDArray[np.float32]
    loose: tuple[Loose, ...]

    @staticmethod
    def unpacked(data: bytes) -> FileEdges:
        targets, columns, weights, loose = marshal.loads(unsealed(data))
        symbol, kind, path, target, line = np.frombuffer(columns, np.int32).reshape(5, -1)
        weight = np.frombuffer(weights, np.float32)
        return FileEdges(tuple(targets), symbol, kind, path, target, line, weight, tuple(map(Loose._make, loose)))


KINDS = ("call", "base", "use", "import")


def _packed(resolved: Resolved) -> bytes:
    targets: dict[str, int] = {}
    edges: Sequence[Edge] = resolved.edges
    columns = np.array(
        [
            [edge.symbol for edge in edges],
            [KINDS.index(edge.kind) for edge in edges],
            [targets.setdefault(edge.path, len(targets)) for edge in edges],
            [edge.target for edge in edges],
            [edge.line for edge in edges],
        ],
        np.int32,
    )
    weights = np.array([edge.weight for edge in edges], np.float32)
    loose = [tuple(one) for one in resolved.loose]
    return marshal.dumps((list(targets), columns.tobytes(), weights.tobytes(), loose), 4)
