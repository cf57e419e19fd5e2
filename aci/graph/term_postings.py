"""Postings of the terms in definitions, built once for each segment (a group of blobs that are indexed together).

A document is a definition without its nested definitions. The first document of a file is its text outside of all
definitions. A term has three counts in a document: in code, in comments and docstrings, and in its own name. Postings
are stored in buckets, by the hash of their term.
"""

from __future__ import annotations

import marshal
import re
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from aci.graph.outline import Symbol
from aci.graph.parser import symbol_boundaries
from aci.issue_text.issue_mentions import WORD, split_identifier

Ints = npt.NDArray[np.uint32]
CODE, PROSE, NAME = 0, 1, 2
FIELDS = 3
DEFINES = "="
"""The prefix of the terms under which definitions are indexed by their bare names, in the original case."""
SEPARATOR = "\0"
_TOKEN = re.compile(rf"{SEPARATOR}|\w+")
_SPACED = bytes(byte if _TOKEN.match(chr(byte)) else 32 for byte in range(256))
AT_ONCE = 2_000_000
"""Number of buffered bytes of text above which words are counted."""
IN_A_BUCKET = 4096
"""Approximate number of postings in a bucket, all of which are read to look up one term."""


class Postings(NamedTuple):
    """The documents that contain a term, in order, and how often it occurs in each field (at most 255)."""

    documents: npt.NDArray[np.unsignedinteger[Any] | np.signedinteger[Any]]
    code: npt.NDArray[np.uint8]
    prose: npt.NDArray[np.uint8]
    name: npt.NDArray[np.uint8]


class Bucket(NamedTuple):
    """The postings of several terms, one after the other; those of `terms[n]` start at `begins[n]`."""

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
        """Return the postings of a term; None if it is not in the bucket."""
        if term not in self.terms:
            return None
        at = self.terms.index(term)
        start, stop = self.begins[at : at + 2]
        documents, code, prose, name = self.columns
        return Postings(documents[start:stop], code[start:stop], prose[start:stop], name[start:stop])


def _hash(term: str) -> int:
    return zlib.crc32(term.encode("utf-8", "surrogatepass"))


def bucket_of(term: str, buckets: int) -> int:
    """Return the bucket of a term; `buckets` is a power of two. Buckets are ordered by the hashes of their terms."""
    return _hash(term) * buckets >> 32


class Documents(NamedTuple):
    """The documents of a segment: the blob of each, the document that encloses it (itself if none), and its lengths."""

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
    """Blobs that were indexed together, ready to be stored."""

    documents: Documents
    names: list[str]
    """All bare names that the blobs define."""
    buckets: list[Bucket]


class Numbers(dict[str, int]):
    """A mapping from strings to consecutive numbers; a new string gets the next number on its first look-up."""

    def __missing__(self, text: str) -> int:
        self[text] = number = len(self)
        return number


class Builder:
    """Builder of a segment: blobs are added one by one, and `segment` is called once at the end."""

    def __init__(self) -> None:
        self._tokens = Numbers({SEPARATOR: 0})
        self._found = array("I")
        """The tokens of all pieces of text, with a separator after each piece."""
        self._pieces: array[int] = array("I")
        """The document and field of each piece, as one number."""
        self._defined: list[tuple[str, int]] = []
        self._blob, self._parent = array("I"), array("I")
        self._blobs = 0
        self._texts: list[bytes] = []
        """Texts whose words have not been counted yet. Many are counted at once to use the CPU's caches better."""
        self._uncounted = 0

    def add(self, data: bytes, symbols: tuple[Symbol, ...], prose: list[tuple[int, int]]) -> None:
        first = len(self._blob)
        self._blob.extend([self._blobs] * (len(symbols) + 1))
        self._parent.append(first)
        self._parent.extend(first + 1 + (symbol.parent if symbol.parent >= 0 else -1) for symbol in symbols)
        self._blobs += 1
        self._defined += zip([symbol.bare for symbol in symbols], range(first + 1, len(self._blob)), strict=True)
        pieces = [symbol.bare.encode("utf-8", "replace") for symbol in symbols]
        self._pieces.extend(range((first + 1) * FIELDS + NAME, len(self._blob) * FIELDS, FIELDS))
        data = data.replace(b"\0", b" ")
        for start, stop, owner, field in _pieces(symbols, prose, len(data)):
            pieces.append(data[start:stop])
            self._pieces.append((first + 1 + owner) * FIELDS + field)
        self._texts.append(b" \0 ".join([*pieces, b""]))
        self._uncounted += len(data)
        if self._uncounted > AT_ONCE:
            self._count()

    def _count(self) -> None:
        number = self._tokens.__getitem__
        for text in self._texts:
            self._found.extend(map(number, _tokens(text)))
        self._texts.clear()
        self._uncounted = 0

    def segment(self) -> Segment:
        self._count()
        found, pieces = _ints(self._found), _ints(self._pieces)
        sizes = np.diff(np.flatnonzero(found == 0), prepend=-1) - 1
        places = np.repeat(pieces, sizes)
        found = found[found != 0]
        words = [
            [token] if 1 < len(token) < 80 and token.isidentifier() else WORD.findall(token) for token in self._tokens
        ]
        documents = self._documents(places, np.fromiter(map(len, words), np.int64)[found])
        defined = np.fromiter((self._tokens[DEFINES + name] for name, _ in self._defined), np.uint32)
        owners = np.fromiter((number * FIELDS + NAME for _, number in self._defined), np.uint32)
        names = list(dict.fromkeys(name for name, _ in self._defined))
        parts = [
            split_identifier(some[0]) if len(some) == 1 else tuple(chain.from_iterable(map(split_identifier, some)))
            for some in words
        ]
        parts += [(token,) for token in islice(self._tokens, len(words), None)]  # the defined names
        buckets = self._buckets(parts, np.concatenate((found, defined)), np.concatenate((places, owners)))
        return Segment(documents, names, buckets)

    def _documents(self, places: Ints, words: npt.NDArray[np.int64]) -> Documents:
        lengths = np.bincount(places, words, len(self._blob) * FIELDS).astype(np.uint32).reshape(-1, FIELDS)
        return Documents(_ints(self._blob), _ints(self._parent), lengths[:, CODE], lengths[:, PROSE])

    def _buckets(self, parts: list[tuple[str, ...]], found: Ints, places: Ints) -> list[Bucket]:
        """Return the buckets for the tokens found; `parts` has the terms of each token, `places` the document and field
        of each token found."""
        numbers = Numbers()
        sizes = np.fromiter(map(len, parts), np.int64, len(parts))
        flat = np.fromiter(map(numbers.__getitem__, chain.from_iterable(parts)), np.int64, int(sizes.sum()))
        terms, hashes, place = _sort_by_hash(list(numbers))
        flat = place[flat]
        begins = np.cumsum(sizes) - sizes
        each = sizes[found]
        at = np.repeat(begins[found] - (np.cumsum(each) - each), each)
        at += np.arange(len(at))
        keys = flat[at]
        keys *= len(self._blob) * FIELDS
        keys += np.repeat(places, each)
        keys, counts = np.unique(keys, return_counts=True)
        cells, fields = np.divmod(keys, FIELDS)
        slots = np.cumsum(np.diff(cells, prepend=-1) != 0) - 1
        table = np.zeros((FIELDS, slots[-1] + 1 if len(slots) else 0), np.uint8)
        table[fields, slots] = np.minimum(counts, 255)
        return _split_buckets(terms, hashes, cells[np.diff(cells, prepend=-1) != 0], len(self._blob), table)


def _tokens(data: bytes) -> list[str]:
    """Return the maximal runs of word characters, and the separators."""
    if data.isascii():
        return data.translate(_SPACED).decode("ascii").split()
    return _TOKEN.findall(data.decode("utf-8", "replace"))


def _sort_by_hash(terms: list[str]) -> tuple[list[str], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the terms sorted by hash, so that those of a bucket are adjacent; their hashes; and each term's new
    index."""
    hashes = np.fromiter(map(_hash, terms), np.int64, len(terms))
    order = np.argsort(hashes, kind="stable")
    place = np.empty(len(terms), np.int64)
    place[order] = np.arange(len(terms))
    return [terms[at] for at in order.tolist()], hashes[order], place


def _split_buckets(
    terms: list[str],
    hashes: npt.NDArray[np.int64],
    cells: npt.NDArray[np.int64],
    documents: int,
    counts: npt.NDArray[np.uint8],
) -> list[Bucket]:
    """Return buckets for sorted postings; `cells` encodes the term and document of each posting as one number."""
    term, document = np.divmod(cells, max(documents, 1))
    begins = np.searchsorted(term, np.arange(len(terms) + 1))
    document = document.astype(np.uint32)
    buckets = 1 << (len(cells) // IN_A_BUCKET).bit_length()
    ends = np.searchsorted(hashes * buckets >> 32, np.arange(buckets), "right").tolist()
    found, first = [], 0
    for last in ends:
        start, stop = begins[first], begins[last]
        columns = Postings(document[start:stop], *(column[start:stop] for column in counts))
        found.append(Bucket(terms[first:last], (begins[first : last + 1] - start).astype(np.uint32), columns))
        first = last
    return found


def _pieces(
    symbols: tuple[Symbol, ...], prose: list[tuple[int, int]], size: int
) -> Iterator[tuple[int, int, int, int]]:
    """Yield (start, stop, symbol, field) for all bytes, in order."""
    positions, owners = symbol_boundaries(symbols)
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
