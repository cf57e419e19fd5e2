"""Which definitions hold which terms: built once for the blobs that are indexed together, a segment.

A document is a definition without those inside it, or what of a file stands outside of all (the file's own document,
the first). Three counts are kept of a term in a document: in code, in comments and docstrings, in its own name.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from aci.graph.outline import Symbol
from aci.graph.parse import changes
from aci.words import WORD, split

Ints = npt.NDArray[np.uint32]
CODE, PROSE, NAME = 0, 1, 2
FIELDS = 3
DEFINES = "="
"""Before a bare name: the documents of what is so named, case kept."""


class Postings(NamedTuple):
    """Documents that hold a term, in order, and how often, at most 255, in each field."""

    documents: npt.NDArray[np.unsignedinteger[Any] | np.signedinteger[Any]]
    code: npt.NDArray[np.uint8]
    prose: npt.NDArray[np.uint8]
    name: npt.NDArray[np.uint8]

    def packed(self) -> bytes:
        return b"".join(column.tobytes() for column in self)

    @staticmethod
    def unpacked(data: bytes) -> Postings:
        n = len(data) // 7
        counts = np.frombuffer(data, np.uint8, 3 * n, 4 * n).reshape(3, n)
        return Postings(np.frombuffer(data, np.uint32, n), counts[0], counts[1], counts[2])


class Documents(NamedTuple):
    """The documents of a segment: of which blob each is, the document around it (itself if none), how long it is."""

    blob: Ints
    parent: Ints
    code: Ints
    prose: Ints

    def packed(self) -> bytes:
        return b"".join(column.tobytes() for column in self)

    @staticmethod
    def unpacked(data: bytes) -> Documents:
        columns = np.frombuffer(data, np.uint32).reshape(4, -1)
        return Documents(*columns)


class _Words(dict[str, int]):
    def __missing__(self, word: str) -> int:
        self[word] = number = len(self)
        return number


class Builder:
    """Takes blobs one by one; `documents` and `postings` are asked once at the end."""

    def __init__(self) -> None:
        self._words = _Words()
        self._found = array("I")
        self._pieces: array[int] = array("I")
        """Document and field of each piece of text, as one number, and how many words it has."""
        self._sizes = array("I")
        self._blob, self._parent = array("I"), array("I")
        self._names: list[tuple[str, int]] = []
        self._blobs = 0

    def add(self, data: bytes, symbols: tuple[Symbol, ...], prose: list[tuple[int, int]]) -> None:
        first = len(self._blob)
        self._blob.extend([self._blobs] * (len(symbols) + 1))
        self._parent.append(first)
        self._parent.extend(first + 1 + (symbol.parent if symbol.parent >= 0 else -1) for symbol in symbols)
        self._blobs += 1
        for number, symbol in enumerate(symbols, first + 1):
            name = symbol.bare
            self._take(name, number, NAME)
            self._names.append((name, number))
        for start, stop, owner, field in _pieces(symbols, prose, len(data)):
            self._take(data[start:stop].decode("utf-8", "replace"), first + 1 + owner, field)

    def _take(self, text: str, document: int, field: int) -> None:
        before = len(self._found)
        self._found.extend(map(self._words.__getitem__, WORD.findall(text)))
        if count := len(self._found) - before:
            self._pieces.append(document * FIELDS + field)
            self._sizes.append(count)

    def documents(self) -> Documents:
        pieces, sizes = _ints(self._pieces), _ints(self._sizes)
        lengths = np.zeros((FIELDS, len(self._blob)), np.uint32)
        np.add.at(lengths, (pieces % FIELDS, pieces // FIELDS), sizes)
        return Documents(_ints(self._blob), _ints(self._parent), lengths[CODE], lengths[PROSE])

    def postings(self) -> Iterator[tuple[str, Postings]]:
        """By term, then those of exact names."""
        terms = _Words()
        parts = [[terms[term] for term in split(word)] for word in self._words]
        sizes = np.fromiter(map(len, parts), np.int64, len(parts))
        flat = np.fromiter((term for part in parts for term in part), np.int64, int(sizes.sum()))
        begins = np.concatenate(([0], np.cumsum(sizes)))
        found = _ints(self._found)
        places = np.repeat(_ints(self._pieces).astype(np.int64), _ints(self._sizes))
        each = sizes[found]
        offsets = np.arange(int(each.sum())) - np.repeat(np.cumsum(each) - each, each)
        keys = flat[np.repeat(begins[found], each) + offsets]
        keys *= len(self._blob) * FIELDS
        keys += np.repeat(places, each)
        keys, counts = np.unique(keys, return_counts=True)
        cells, fields = np.divmod(keys, FIELDS)
        holders, slots = np.unique(cells, return_inverse=True)
        table = np.zeros((FIELDS, len(holders)), np.uint8)
        table[fields, slots] = np.minimum(counts, 255)
        of_term, documents = np.divmod(holders, max(len(self._blob), 1))
        names = list(terms)
        edges = np.flatnonzero(np.diff(of_term, prepend=-1, append=-1))
        documents = documents.astype(np.uint32)
        for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            columns = table[:, start:stop]
            yield names[of_term[start]], Postings(documents[start:stop], columns[0], columns[1], columns[2])
        yield from self._definitions()

    def _definitions(self) -> Iterator[tuple[str, Postings]]:
        by_name: dict[str, list[int]] = {}
        for name, number in self._names:
            by_name.setdefault(name, []).append(number)
        for name, numbers in by_name.items():
            once = np.ones(len(numbers), np.uint8)
            yield DEFINES + name, Postings(np.array(numbers, np.uint32), once, once, once)


def _pieces(
    symbols: tuple[Symbol, ...], prose: list[tuple[int, int]], size: int
) -> Iterator[tuple[int, int, int, int]]:
    """(start, stop, symbol, field) of all bytes, in order."""
    positions, owners = changes(symbols)
    at = 0

    def code(until: int) -> Iterator[tuple[int, int, int, int]]:
        nonlocal at
        index = bisect_right(positions, at) - 1
        while at < until:
            stop = min(positions[index + 1] if index + 1 < len(positions) else size, until)
            if stop > at:
                yield at, stop, owners[index], CODE
            at, index = stop, index + 1

    for start, stop in prose:
        if start < at:
            continue
        yield from code(start)
        yield start, stop, owners[bisect_right(positions, start) - 1], PROSE
        at = stop
    yield from code(size)


def _ints(numbers: array[int]) -> Ints:
    return np.frombuffer(numbers, np.uint32) if len(numbers) else np.zeros(0, np.uint32)
