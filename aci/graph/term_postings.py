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
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain, count, islice
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from aci.graph.outline import Symbol
from aci.graph.parser import symbol_boundaries
from aci.issue_text.issue_mentions import WORD, split_identifier

Ints = npt.NDArray[np.uint32]
CODE, PROSE, NAME = 0, 1, 2
FIELD_BITS = 2
"""A document and a field are written as one number, with the field in the lowest bits."""
COUNT_BITS = 8
DEFINES = "="
"""The prefix of the terms under which definitions are indexed by their bare names, in the original case."""
SEPARATOR = "\0"
_TOKEN = re.compile(rf"{SEPARATOR}|\w+")
_SPACED = bytes(byte if byte > 127 or _TOKEN.match(chr(byte)) else 32 for byte in range(256))
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


class Numbers(defaultdict[str, int]):
    """A mapping from strings to consecutive numbers; a new string gets the next number on its first look-up."""

    def __init__(self, *known: str) -> None:
        super().__init__(count(len(known)).__next__, {text: number for number, text in enumerate(known)})


class Builder:
    """Builder of a segment: blobs are added one by one, and `segment` is called once at the end."""

    def __init__(self) -> None:
        self._tokens, self._terms = Numbers(SEPARATOR), Numbers()
        self._split = _SplitTokens()
        self._pieces: array[int] = array("I")
        """The document and field of each piece of text that has not been counted yet, as one number."""
        self._defined: list[tuple[str, int]] = []
        self._blob, self._parent = array("I"), array("I")
        self._blobs = 0
        self._texts: list[bytes] = []
        """Texts whose words have not been counted yet. Many are counted at once, but not too many for the CPU's
        caches."""
        self._uncounted = 0
        self._counted: list[Counted] = []

    def add(self, data: bytes, symbols: tuple[Symbol, ...], prose: list[tuple[int, int]]) -> None:
        first = len(self._blob)
        self._blob.extend([self._blobs] * (len(symbols) + 1))
        self._parent.append(first)
        self._parent.extend([first + 1 + (symbol.parent if symbol.parent >= 0 else -1) for symbol in symbols])
        self._blobs += 1
        names = [symbol.name.rpartition(".")[2] for symbol in symbols]
        self._defined += zip(names, range(first + 1, len(self._blob)), strict=True)
        pieces = [name.encode("utf-8", "replace") for name in names]
        documents = range(first + 1, len(self._blob))
        self._pieces.extend([document << FIELD_BITS | NAME for document in documents])
        data = data.replace(b"\0", b" ")
        for start, stop, owner, field in _pieces(symbols, prose, len(data)):
            pieces.append(data[start:stop])
            self._pieces.append((first + 1 + owner) << FIELD_BITS | field)
        self._texts.append(b" \0 ".join([*pieces, b""]))
        self._uncounted += len(data)
        if self._uncounted > AT_ONCE:
            self._count()

    def _count(self) -> None:
        """Count the terms of the buffered texts, which contain each of their documents as a whole."""
        tokens = list(chain.from_iterable(map(_tokens, self._texts)))
        found = np.fromiter(map(self._tokens.__getitem__, tokens), np.uint32, len(tokens))
        sizes = np.diff(np.flatnonzero(found == 0), prepend=-1) - 1
        places = np.repeat(_ints(self._pieces), sizes)
        self._split.extend(islice(self._tokens, len(self._split), None), self._terms)
        self._counted.append(self._split.counted(found[found != 0], places))
        self._pieces = array("I")
        self._texts.clear()
        self._uncounted = 0

    def segment(self) -> Segment:
        self._count()
        names = list(dict.fromkeys(name for name, _ in self._defined))
        owners = np.array([document << FIELD_BITS | NAME for _, document in self._defined], np.uint32)
        numbers = np.array([self._terms[DEFINES + name] for name, _ in self._defined], np.uint32)
        counted = [*self._counted, Counted(numbers, owners, np.ones(len(owners), np.uint8), owners[:0], owners[:0])]
        columns = [np.concatenate(column) for column in zip(*counted, strict=True)]
        self._counted.clear()
        return Segment(self._documents(*columns[3:]), names, self._buckets(*columns[:3]))

    def _documents(self, places: Ints, words: Ints) -> Documents:
        lengths = np.zeros((len(self._blob), 1 << FIELD_BITS), np.uint32)
        lengths[places >> FIELD_BITS, places & (1 << FIELD_BITS) - 1] = words
        return Documents(_ints(self._blob), _ints(self._parent), lengths[:, CODE], lengths[:, PROSE])

    def _buckets(self, found: Ints, places: Ints, counts: npt.NDArray[np.uint8]) -> list[Bucket]:
        """Return the buckets for the terms found; `places` has the document and field of each."""
        terms, hashes, place = _sort_by_hash(list(self._terms))
        bits = len(self._blob).bit_length()
        keys = ((place[found] << bits + FIELD_BITS) + places << COUNT_BITS) + counts
        keys.sort()
        cells = keys >> COUNT_BITS + FIELD_BITS
        is_first = np.diff(cells, prepend=-1) != 0
        table = np.zeros((1 << FIELD_BITS, np.count_nonzero(is_first)), np.uint8)
        fields = keys >> COUNT_BITS & (1 << FIELD_BITS) - 1
        table[fields, np.cumsum(is_first) - 1] = keys & (1 << COUNT_BITS) - 1
        return _split_buckets(terms, hashes, cells[is_first], bits, table)


class Counted(NamedTuple):
    """The counted terms of some pieces of text, without duplicates (at most 255 in a place), and the number of words of
    each piece that has any."""

    terms: Ints
    places: Ints
    counts: npt.NDArray[np.uint8]
    with_words: Ints
    words: Ints


class _SplitTokens:
    """The terms of each token, by the token's number; those of all tokens follow each other in `_terms`."""

    def __init__(self) -> None:
        self._words, self._each, self._terms = array("I"), array("I"), array("I")

    def __len__(self) -> int:
        return len(self._each)

    def extend(self, tokens: Iterable[str], terms: Numbers) -> None:
        """Add tokens; `terms` has the number of each term."""
        words = [[one] if 1 < len(one) < 80 and one.isidentifier() else WORD.findall(one) for one in tokens]
        parts = [
            split_identifier(some[0]) if len(some) == 1 else tuple(chain.from_iterable(map(split_identifier, some)))
            for some in words
        ]
        self._words.extend(map(len, words))
        self._each.extend(map(len, parts))
        self._terms.extend(map(terms.__getitem__, chain.from_iterable(parts)))

    def counted(self, tokens: Ints, places: Ints) -> Counted:
        """Count the terms of these tokens; `places` has the document and field of each."""
        base = places.min(initial=0)
        inside = (places - base).astype(np.int64)
        sizes = _ints(self._each)
        begins, each = np.cumsum(sizes, dtype=np.int64) - sizes, sizes[tokens]
        at = np.repeat(begins[tokens] - (np.cumsum(each, dtype=np.int64) - each), each)
        at += np.arange(len(at))
        bits = int(inside.max(initial=0)).bit_length()
        keys = (_ints(self._terms)[at].astype(np.int64) << bits) + np.repeat(inside, each)
        keys.sort()
        first = np.flatnonzero(np.diff(keys, prepend=-1))
        counts = np.diff(first, append=len(keys))
        terms, holders = keys[first] >> bits, keys[first] & (1 << bits) - 1
        words = np.bincount(inside, _ints(self._words)[tokens])
        with_words = np.flatnonzero(words)
        return Counted(
            terms.astype(np.uint32),
            (holders + base).astype(np.uint32),
            np.minimum(counts, 255).astype(np.uint8),
            (with_words + base).astype(np.uint32),
            words[with_words].astype(np.uint32),
        )


def _tokens(data: bytes) -> list[str]:
    """Return the maximal runs of word characters, and the separators."""
    words = data.translate(_SPACED).decode("utf-8", "replace").split()
    if data.isascii():
        return words
    split = (_TOKEN.findall(word) if not word.isascii() else (word,) for word in words)
    return list(chain.from_iterable(split))


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
    bits: int,
    counts: npt.NDArray[np.uint8],
) -> list[Bucket]:
    """Return buckets for sorted postings; `cells` has the term and document of each posting as one number, with the
    document in the lowest `bits`."""
    term, document = cells >> bits, cells & (1 << bits) - 1
    begins = np.searchsorted(term, np.arange(len(terms) + 1))
    document = document.astype(np.uint32)
    buckets = 1 << (len(cells) // IN_A_BUCKET).bit_length()
    ends = np.searchsorted(hashes * buckets >> 32, np.arange(buckets), "right").tolist()
    found, first = [], 0
    for last in ends:
        start, stop = begins[first], begins[last]
        columns = Postings(document[start:stop], *(column[start:stop] for column in counts[: NAME + 1]))
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
