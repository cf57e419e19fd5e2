"""Which definitions hold which terms: built once for the blobs that are indexed together, a segment.

A document is a definition without those inside it, or what of a file stands outside of all (the file's own document,
the first). Three counts are kept of a term in a document: in code, in comments and docstrings, in its own name.
Postings lie in buckets, by the hash of their term.
"""

from __future__ import annotations

import marshal
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from itertools import chain
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
IN_A_BUCKET = 4096
"""Postings, about: so many are read for each term that is asked for."""


class Postings(NamedTuple):
    """Documents that hold a term, in order, and how often, at most 255, in each field."""

    documents: npt.NDArray[np.unsignedinteger[Any] | np.signedinteger[Any]]
    code: npt.NDArray[np.uint8]
    prose: npt.NDArray[np.uint8]
    name: npt.NDArray[np.uint8]


class Bucket(NamedTuple):
    """The postings of some terms, one after the other; those of `terms[n]` begin at `begins[n]`."""

    terms: list[str]
    begins: Ints
    columns: Postings

    def packed(self) -> bytes:
        return marshal.dumps((self.terms, *(column.tobytes() for column in (self.begins, *self.columns))), 4)

    @staticmethod
    def unpacked(data: bytes) -> Bucket:
        terms, begins, documents, *counts = marshal.loads(data)
        columns = Postings(np.frombuffer(documents, np.uint32), *(np.frombuffer(one, np.uint8) for one in counts))
        return Bucket(terms, np.frombuffer(begins, np.uint32), columns)

    def of(self, term: str) -> Postings | None:
        if term not in self.terms:
            return None
        at = self.terms.index(term)
        start, stop = self.begins[at : at + 2]
        documents, code, prose, name = self.columns
        return Postings(documents[start:stop], code[start:stop], prose[start:stop], name[start:stop])


def _hash(term: str) -> int:
    return zlib.crc32(term.encode("utf-8", "surrogatepass"))


def bucket_of(term: str, buckets: int) -> int:
    """In which of so many buckets a term is, a power of two. They follow the order of the terms' hashes."""
    return _hash(term) * buckets >> 32


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


class Segment(NamedTuple):
    """What is indexed together, ready to be stored."""

    documents: Documents
    names: list[str]
    """All bare names that are defined."""
    buckets: list[Bucket]


class _Words(dict[str, int]):
    def __missing__(self, word: str) -> int:
        self[word] = number = len(self)
        return number


class Builder:
    """Takes blobs one by one; `segment` is asked once at the end."""

    def __init__(self) -> None:
        self._words = _Words()
        self._found = array("I")
        self._pieces: array[int] = array("I")
        """Document and field of each piece of text, as one number, and how many words it has."""
        self._sizes = array("I")
        self._blob, self._parent = array("I"), array("I")
        self._blobs = 0

    def add(self, data: bytes, symbols: tuple[Symbol, ...], prose: list[tuple[int, int]]) -> None:
        first = len(self._blob)
        self._blob.extend([self._blobs] * (len(symbols) + 1))
        self._parent.append(first)
        self._parent.extend(first + 1 + (symbol.parent if symbol.parent >= 0 else -1) for symbol in symbols)
        self._blobs += 1
        for number, symbol in enumerate(symbols, first + 1):
            name = symbol.bare
            self._take([DEFINES + name, *WORD.findall(name)], number, NAME)
        for start, stop, owner, field in _pieces(symbols, prose, len(data)):
            self._take(WORD.findall(data[start:stop].decode("utf-8", "replace")), first + 1 + owner, field)

    def _take(self, words: list[str], document: int, field: int) -> None:
        if words:
            self._found.extend(map(self._words.__getitem__, words))
            self._pieces.append(document * FIELDS + field)
            self._sizes.append(len(words))

    def segment(self) -> Segment:
        names = [word.removeprefix(DEFINES) for word in self._words if word.startswith(DEFINES)]
        return Segment(self._documents(), names, self._buckets())

    def _documents(self) -> Documents:
        pieces, sizes = _ints(self._pieces), _ints(self._sizes)
        lengths = np.bincount(pieces, sizes, len(self._blob) * FIELDS).astype(np.uint32).reshape(-1, FIELDS)
        return Documents(_ints(self._blob), _ints(self._parent), lengths[:, CODE], lengths[:, PROSE])

    def _buckets(self) -> list[Bucket]:
        numbers = _Words()
        parts = [[numbers[term] for term in _terms(word)] for word in self._words]
        terms, place = _ordered(list(numbers))
        sizes = np.fromiter(map(len, parts), np.int64, len(parts))
        flat = place[np.fromiter(chain.from_iterable(parts), np.int64, int(sizes.sum()))]
        begins = np.cumsum(sizes) - sizes
        found = _ints(self._found)
        each = sizes[found]
        offsets = np.arange(int(each.sum())) - np.repeat(np.cumsum(each) - each, each)
        keys = flat[np.repeat(begins[found], each) + offsets]
        keys *= len(self._blob) * FIELDS
        keys += np.repeat(np.repeat(_ints(self._pieces).astype(np.int64), _ints(self._sizes)), each)
        keys, counts = np.unique(keys, return_counts=True)
        cells, fields = np.divmod(keys, FIELDS)
        slots = np.cumsum(np.diff(cells, prepend=-1) != 0) - 1
        table = np.zeros((FIELDS, slots[-1] + 1 if len(slots) else 0), np.uint8)
        table[fields, slots] = np.minimum(counts, 255)
        return _cut(terms, cells[np.diff(cells, prepend=-1) != 0], len(self._blob), table)


def _terms(word: str) -> tuple[str, ...]:
    return (word,) if word.startswith(DEFINES) else split(word)


def _ordered(terms: list[str]) -> tuple[list[str], npt.NDArray[np.int64]]:
    """The terms by their hash, so that those of a bucket stand together; and the new place of each."""
    order = np.argsort(np.fromiter(map(_hash, terms), np.uint32, len(terms)), kind="stable")
    place = np.empty(len(terms), np.int64)
    place[order] = np.arange(len(terms))
    return [terms[at] for at in order.tolist()], place


def _cut(terms: list[str], cells: npt.NDArray[np.int64], documents: int, counts: npt.NDArray[np.uint8]) -> list[Bucket]:
    """Buckets from postings in order: each one's term and document as one number, and its counts."""
    of_term, held = np.divmod(cells, max(documents, 1))
    begins = np.searchsorted(of_term, np.arange(len(terms) + 1))
    held = held.astype(np.uint32)
    buckets = 1 << (len(cells) // IN_A_BUCKET).bit_length()
    ends = np.searchsorted([bucket_of(term, buckets) for term in terms], np.arange(buckets), "right").tolist()
    found, first = [], 0
    for last in ends:
        start, stop = begins[first], begins[last]
        columns = Postings(held[start:stop], *(column[start:stop] for column in counts))
        found.append(Bucket(terms[first:last], (begins[first : last + 1] - start).astype(np.uint32), columns))
        first = last
    return found


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
