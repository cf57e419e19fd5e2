"""The index of commit messages: which commits say which term, kept for all clones of a repository together.

A family is a repository with all its clones. Each commit that was ever read has a number in its family; postings hold
these numbers. What a base commit sees is a bitmap over them, so that nothing later than the base has a say.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from aci import history_changes
from aci.cache import Cache, Damaged
from aci.history_git import Commit, Commits
from aci.history_messages import read
from aci.version import file_of, version_of

if TYPE_CHECKING:
    import sqlite3

_OF_FUNCTIONS = tuple(f"graph/{name}.py" for name in ("choice", "definitions", "parse", "languages/*"))
MADE_BY = ("history*.py", "words.py", "mentions.py", *_OF_FUNCTIONS)
"""The code that decides what is stored."""
SCHEMA = f"""
{history_changes.SCHEMA};
CREATE TABLE families (id INTEGER PRIMARY KEY, root TEXT, ids BLOB, times BLOB, lengths BLOB);
CREATE INDEX roots ON families (root);
CREATE TABLE bases (id TEXT, boundary TEXT, family INTEGER, time INTEGER, ancestors BLOB, PRIMARY KEY (id, boundary));
CREATE TABLE postings (family INTEGER, term TEXT, found BLOB, PRIMARY KEY (family, term)) WITHOUT ROWID;
CREATE TABLE subjects (family INTEGER, number INTEGER, subject TEXT, PRIMARY KEY (family, number)) WITHOUT ROWID;
CREATE TABLE changes (id TEXT, kind TEXT, said BLOB, PRIMARY KEY (id, kind)) WITHOUT ROWID
"""

COUNT_BITS = 6
MOST_COUNT = (1 << COUNT_BITS) - 1
"""A posting is a number and, in its lowest bits, how often the term stands there."""
NEIGHBOURS = 50
IN_ONE_QUESTION = 500
AT_ONCE = 500_000
"""Postings gathered before they are stored: of some ten thousand usual commits, in about 150 MB."""
LARGEST = 1 << 30
"""Bytes of a cache that no further base is added to."""

Numbers = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Base:
    """What a base commit sees: `ancestors` says of each number of the family whether it is one, itself included."""

    family: int
    ids: bytes
    times: Numbers
    lengths: Numbers
    ancestors: Flags

    def id(self, number: int) -> str:
        return self.ids[20 * number : 20 * number + 20].hex()


NOTHING = Base(-1, b"", *(np.empty(0, np.int64),) * 2, np.empty(0, np.bool_))


def opened(folder: Path | None) -> Cache:
    """The cache in a folder; without one in memory."""
    return Cache(file_in(folder) if folder else None, SCHEMA, version_of(*MADE_BY))


def file_in(folder: Path) -> Path:
    return file_of(folder, "history", version_of(*MADE_BY))


def known(cache: Cache, commit: str, boundary: str) -> Base | None:
    """A base that was opened before."""
    row = cache.read("SELECT family, ancestors FROM bases WHERE id = ? AND boundary = ?", (commit, boundary))
    if not row:
        return None
    family = _family(cache, row[0][0])
    seen = np.unpackbits(np.frombuffer(row[0][1], np.uint8)).astype(np.bool_)[: len(family.times)]
    seen = np.concatenate([seen, np.zeros(len(family.times) - len(seen), np.bool_)])
    if not seen.any():
        raise Damaged(f"{commit} is not its own ancestor")
    return Base(family.family, family.ids, family.times, family.lengths, seen)


def _family(cache: Cache, id: int) -> Base:
    """A family's commits, none of them seen."""
    row = cache.read("SELECT ids, times, lengths FROM families WHERE id = ?", (id,))
    if not row:
        raise Damaged(f"no family {id}")
    ids, times, lengths = row[0]
    if not len(ids) // 20 == len(times) // 8 == len(lengths) // 2:
        raise Damaged(f"family {id} has columns of several lengths")
    commits = len(ids) // 20
    return Base(
        id,
        ids,
        np.frombuffer(times, "<i8"),
        np.frombuffer(lengths, "<u2").astype(np.int64),
        np.zeros(commits, np.bool_),
    )


def learn(cache: Cache, commits: Commits, commit: str) -> Base | None:
    """Open a base for the first time, from the nearest one that is known. None if the commit is missing.

    Raises Damaged where the cache has grown too large: it is begun anew then.
    """
    if cache.size() > LARGEST:
        raise Damaged("too large")
    time = commits.time(commit)
    if time is None:
        return None
    nearest = cache.read(
        "SELECT id FROM bases WHERE boundary = ? ORDER BY abs(time - ?) LIMIT ?", (commits.boundary, time, NEIGHBOURS)
    )
    neighbour = commits.first_present([id for (id,) in nearest])
    if neighbour and (start := known(cache, neighbour, commits.boundary)):
        more, less = commits.apart(commit, neighbour)
        family, ancestors = start.family, start.ancestors.copy()
        numbers = _numbers(start)
        ancestors[[numbers[id] for id in less if id in numbers]] = False
    else:
        more = commits.ancestors(commit)
        family = _family_of(cache, more[-1])
        ancestors = np.empty(0, np.bool_)
        numbers = _numbers(_family(cache, family))
    numbers = _add(cache, family, commits, [id for id in more if id not in numbers])
    seen = np.zeros(len(numbers), np.bool_)
    seen[: len(ancestors)] = ancestors
    seen[[numbers[id] for id in more if id in numbers]] = True
    with cache.writing() as store:
        store.execute(
            "INSERT OR REPLACE INTO bases VALUES (?, ?, ?, ?, ?)",
            (commit, commits.boundary, family, time, np.packbits(seen).tobytes()),
        )
    return known(cache, commit, commits.boundary)


def _numbers(base: Base) -> dict[str, int]:
    whole = base.ids.hex()
    return {whole[at : at + 40]: at // 40 for at in range(0, len(whole), 40)}


def _family_of(cache: Cache, root: str) -> int:
    """The family whose history begins at this commit, begun if need be."""
    with cache.writing() as store:
        row = store.execute("SELECT id FROM families WHERE root = ? ORDER BY id", (root,)).fetchone()
        if row:
            return int(row[0])
        new = store.execute("INSERT INTO families (root, ids, times, lengths) VALUES (?, x'', x'', x'')", (root,))
        return int(new.lastrowid or 0)


@dataclass(frozen=True, slots=True)
class _Read:
    id: str
    time: int
    subject: str
    length: int
    counts: tuple[tuple[str, int], ...]


def _read(said: Iterable[Commit]) -> Iterator[_Read]:
    for one in said:
        message = read(one.message)
        named = [(f"#{number}", kind) for number, kind in message.numbers.items()]
        length = min(message.counts.total(), 0xFFFF)
        yield _Read(one.id, one.time, message.subject, length, (*message.counts.items(), *named))


def _add(cache: Cache, family: int, commits: Commits, ids: Sequence[str]) -> dict[str, int]:
    """Index these commits, but for those that another process has indexed meanwhile; every commit's number."""
    for some in _batches(_read(commits.read(ids))):
        changed = commits.changed([one.id for one in some])
        with cache.writing() as store:
            numbers = _numbers(_family(cache, family))
            fresh = [one for one in some if one.id not in numbers]
            if fresh:
                _store(store, family, fresh, len(numbers))
                history_changes.add(store, family, [one.id for one in fresh], changed)
    return _numbers(_family(cache, family))


def _batches(said: Iterable[_Read]) -> Iterator[list[_Read]]:
    batch: list[_Read] = []
    postings = 0
    for one in said:
        batch.append(one)
        postings += len(one.counts)
        if postings >= AT_ONCE:
            yield batch
            batch, postings = [], 0
    yield batch


def _store(store: sqlite3.Connection, family: int, fresh: Sequence[_Read], first: int) -> None:
    """`first` is the number of the first of these commits; the others follow."""
    postings: dict[str, array[int]] = defaultdict(lambda: array("I"))
    for number, one in enumerate(fresh, first):
        place = number << COUNT_BITS
        for term, count in one.counts:
            postings[term].append(place | min(count, MOST_COUNT))
    store.executemany(
        "INSERT INTO postings VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET found = CAST(found || excluded.found AS BLOB)",
        ((family, term, postings[term].tobytes()) for term in sorted(postings)),
    )
    store.executemany(
        "INSERT INTO subjects VALUES (?, ?, ?)",
        ((family, number, one.subject) for number, one in enumerate(fresh, first)),
    )
    store.execute(
        "UPDATE families SET ids = CAST(ids || ? AS BLOB), times = CAST(times || ? AS BLOB),"
        " lengths = CAST(lengths || ? AS BLOB) WHERE id = ?",
        (
            bytes.fromhex("".join(one.id for one in fresh)),
            _packed([one.time for one in fresh], "<i8"),
            _packed([one.length for one in fresh], "<u2"),
            family,
        ),
    )


def _packed(values: Sequence[int], kind: str) -> bytes:
    return np.asarray(values, kind).tobytes()


def postings(cache: Cache, base: Base, terms: Sequence[str]) -> Iterator[tuple[str, Numbers, Numbers]]:
    """Each term that an ancestor says, with the ancestors' numbers and how often each says it."""
    for first in range(0, len(terms), IN_ONE_QUESTION):
        some = terms[first : first + IN_ONE_QUESTION]
        marks = ", ".join("?" * len(some))
        query = f"SELECT term, found FROM postings WHERE family = ? AND term IN ({marks}) ORDER BY term"
        for term, found in cache.read(query, (base.family, *some)):
            if len(found) % 4:
                raise Damaged(f"the postings of {term!r} are cut off")
            places = np.frombuffer(found, np.uint32)
            places = places[: np.searchsorted(places, len(base.times) << COUNT_BITS)]  # others may have added more
            places = places[base.ancestors[places >> COUNT_BITS]]
            if len(places):
                yield term, (places >> COUNT_BITS).astype(np.int64), (places & MOST_COUNT).astype(np.int64)


def subjects(cache: Cache, base: Base, numbers: Sequence[int]) -> dict[int, str]:
    marks = ", ".join("?" * len(numbers))
    query = f"SELECT number, subject FROM subjects WHERE family = ? AND number IN ({marks})"
    rows: list[tuple[Any, ...]] = cache.read(query, (base.family, *numbers))
    return dict(rows)


def newest(base: Base, most: int) -> list[str]:
    """The ids of the ancestors that were made last, the newest first; of equal ones the lower id."""
    numbers = np.flatnonzero(base.ancestors)
    if len(numbers) > most:
        times = base.times[numbers]
        numbers = numbers[times >= np.partition(times, -most)[-most]]
    made = ((-int(base.times[number]), base.id(number)) for number in numbers.tolist())
    return [id for _, id in sorted(made)[:most]]
