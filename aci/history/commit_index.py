"""The index of the terms in commit messages, shared by all clones of a repository.

A family is a repository with all its clones. Every indexed commit has a number within its family, and postings refer to
commits by these numbers. For each base, a bitmap over these numbers marks its ancestors, so that later commits are
never used.

The functions that a commit changed are those that enclose the changed lines in the commit's version of the files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aci.graph.file_selection import exclusion_reason, is_test_or_example, language_of, unreadable_reason
from aci.graph.outline import FUNCTION, Symbol
from aci.graph.parser import load_language
from aci.history import commit_files
from aci.history.array_types import Flags, Numbers
from aci.history.git_log import Commit, GitLog, MessageBatch, Span
from aci.repository.disk_cache import Cache, Damaged, cache_file, version_of

if TYPE_CHECKING:
    import sqlite3

_OF_FUNCTIONS = tuple(f"graph/{name}.py" for name in ("file_selection", "parser", "languages/*"))
CODE_PATTERNS = ("history/*.py", "issue_text/issue_mentions.py", *_OF_FUNCTIONS)
CODE_KINDS = ("aci.graph.languages",)
"""Patterns of the source files, and the plug-ins, that determine the contents of the index."""
SCHEMA = f"""
{commit_files.SCHEMA};
CREATE TABLE families (id INTEGER PRIMARY KEY, root TEXT, ids BLOB, times BLOB, lengths BLOB);
CREATE INDEX roots ON families (root);
CREATE TABLE bases (id TEXT, boundary TEXT, family INTEGER, time INTEGER, ancestors BLOB, PRIMARY KEY (id, boundary));
CREATE TABLE postings (family INTEGER, term TEXT, found BLOB, PRIMARY KEY (family, term)) WITHOUT ROWID;
CREATE TABLE subjects (family INTEGER, number INTEGER, subject TEXT, PRIMARY KEY (family, number)) WITHOUT ROWID;
CREATE TABLE changes (id TEXT, kind TEXT, said BLOB, PRIMARY KEY (id, kind)) WITHOUT ROWID
"""

COUNT_BITS = 6
MOST_COUNT = (1 << COUNT_BITS) - 1
"""A posting consists of a commit's number and, in the lowest bits, the number of times that the term occurs in its
message."""
NEIGHBOURS = 50
IN_ONE_QUESTION = 500
AT_ONCE = 1_000_000
"""Number of words collected before they are stored: those of about twenty thousand typical commits."""
LARGEST = 1 << 30
"""Size of a cache in bytes above which it is replaced instead of extended."""


@dataclass(frozen=True, slots=True)
class Base:
    """A base commit; `ancestors` flags the commits of the family that are its ancestors or the base itself."""

    family: int
    ids: bytes
    times: Numbers
    lengths: Numbers
    ancestors: Flags

    def id(self, number: int) -> str:
        return self.ids[20 * number : 20 * number + 20].hex()


NO_BASE = Base(-1, b"", *(np.empty(0, np.int64),) * 2, np.empty(0, np.bool_))


def open_index(folder: Path | None) -> Cache:
    """Return the cache in a folder, or an in-memory cache if there is no folder."""
    return Cache(file_in(folder) if folder else None, SCHEMA, version_of(*CODE_PATTERNS, kinds=CODE_KINDS))


def file_in(folder: Path) -> Path:
    return cache_file(folder, "history", version_of(*CODE_PATTERNS, kinds=CODE_KINDS))


def load_base(cache: Cache, commit: str, boundary: str) -> Base | None:
    """Return a base if it has already been indexed."""
    row = cache.read("SELECT family, ancestors FROM bases WHERE id = ? AND boundary = ?", (commit, boundary))
    if not row:
        return None
    family = _family(cache, row[0][0])
    ancestors = np.unpackbits(np.frombuffer(row[0][1], np.uint8)).astype(np.bool_)[: len(family.times)]
    ancestors = np.concatenate([ancestors, np.zeros(len(family.times) - len(ancestors), np.bool_)])
    if not ancestors.any():
        raise Damaged(f"{commit} is not its own ancestor")
    return Base(family.family, family.ids, family.times, family.lengths, ancestors)


def _family(cache: Cache, id: int) -> Base:
    """Return a family's commits, none of them marked as an ancestor."""
    row = cache.read("SELECT ids, times, lengths FROM families WHERE id = ?", (id,))
    if not row:
        raise Damaged(f"no family {id}")
    ids, times, lengths = row[0]
    if not len(ids) // 20 == len(times) // 8 == len(lengths) // 2:
        raise Damaged(f"family {id} has columns of different lengths")
    commits = len(ids) // 20
    return Base(
        id,
        ids,
        np.frombuffer(times, "<i8"),
        np.frombuffer(lengths, "<u2").astype(np.int64),
        np.zeros(commits, np.bool_),
    )


def index_base(cache: Cache, commits: GitLog, commit: str) -> Base | None:
    """Index a new base, starting from the indexed base that is nearest in time; return None if the commit is missing.

    Raises Damaged if the cache has grown too large, so that the caller replaces it.
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
    if neighbour and (start := load_base(cache, neighbour, commits.boundary)):
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
    marked = np.zeros(len(numbers), np.bool_)
    marked[: len(ancestors)] = ancestors
    marked[[numbers[id] for id in more if id in numbers]] = True
    with cache.writing() as store:
        store.execute(
            "INSERT OR REPLACE INTO bases VALUES (?, ?, ?, ?, ?)",
            (commit, commits.boundary, family, time, np.packbits(marked).tobytes()),
        )
    return load_base(cache, commit, commits.boundary)


def _numbers(base: Base) -> dict[str, int]:
    whole = base.ids.hex()
    return {whole[at : at + 40]: at // 40 for at in range(0, len(whole), 40)}


def _family_of(cache: Cache, root: str) -> int:
    """Return the family with this root commit, creating it if necessary."""
    with cache.writing() as store:
        row = store.execute("SELECT id FROM families WHERE root = ? ORDER BY id", (root,)).fetchone()
        if row:
            return int(row[0])
        new = store.execute("INSERT INTO families (root, ids, times, lengths) VALUES (?, x'', x'', x'')", (root,))
        return int(new.lastrowid or 0)


def _add(cache: Cache, family: int, commits: GitLog, ids: Sequence[str]) -> dict[str, int]:
    """Index these commits, except those that another process has indexed meanwhile; return the numbers of all commits
    in the family."""
    for batch in _batches(commits.read_changed(ids)):
        with cache.writing() as store:
            known = _numbers(_family(cache, family))
            _store(store, family, batch, known)
            commit_files.store_changes(store, family, [id for id in batch.ids if id not in known], batch.changed)
    return _numbers(_family(cache, family))


def _batches(commits: Iterable[tuple[Commit, tuple[str, ...]]]) -> Iterator[MessageBatch]:
    batch = MessageBatch()
    for one, changed in commits:
        batch.add(one, changed)
        if batch.size >= AT_ONCE:
            yield batch
            batch = MessageBatch()
    if batch.ids:
        yield batch


def _store(store: sqlite3.Connection, family: int, batch: MessageBatch, known: Mapping[str, int]) -> None:
    """Store the commits of a batch that are not known yet, with consecutive numbers."""
    fresh = [place for place, id in enumerate(batch.ids) if id not in known]
    numbers = np.full(len(batch.ids), -1)
    numbers[fresh] = np.arange(len(known), len(known) + len(fresh))
    postings, lengths = batch.count_terms(numbers, MOST_COUNT)
    store.executemany(
        "INSERT INTO postings VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET found = CAST(found || excluded.found AS BLOB)",
        (
            (family, term, (places << COUNT_BITS | counts).astype(np.uint32).tobytes())
            for term, places, counts in postings
        ),
    )
    store.executemany(
        "INSERT INTO subjects VALUES (?, ?, ?)",
        ((family, number, batch.subjects[place]) for number, place in enumerate(fresh, len(known))),
    )
    store.execute(
        "UPDATE families SET ids = CAST(ids || ? AS BLOB), times = CAST(times || ? AS BLOB),"
        " lengths = CAST(lengths || ? AS BLOB) WHERE id = ?",
        (
            bytes.fromhex("".join(batch.ids[place] for place in fresh)),
            np.array([batch.times[place] for place in fresh], "<i8").tobytes(),
            np.minimum(lengths[fresh], 0xFFFF).astype("<u2").tobytes(),
            family,
        ),
    )


def load_postings(cache: Cache, base: Base, terms: Sequence[str]) -> Iterator[tuple[str, Numbers, Numbers]]:
    """Yield each of these terms with the numbers of the ancestors whose messages contain it and its number of
    occurrences in each."""
    for first in range(0, len(terms), IN_ONE_QUESTION):
        some = terms[first : first + IN_ONE_QUESTION]
        marks = ", ".join("?" * len(some))
        query = f"SELECT term, found FROM postings WHERE family = ? AND term IN ({marks}) ORDER BY term"
        for term, found in cache.read(query, (base.family, *some)):
            if len(found) % 4:
                raise Damaged(f"the postings of {term!r} are cut off")
            places = np.frombuffer(found, np.uint32)
            # Other processes may have added commits since.
            places = places[: np.searchsorted(places, len(base.times) << COUNT_BITS)]
            places = places[base.ancestors[places >> COUNT_BITS]]
            if len(places):
                yield term, (places >> COUNT_BITS).astype(np.int64), (places & MOST_COUNT).astype(np.int64)


def load_subjects(cache: Cache, base: Base, numbers: Sequence[int]) -> dict[int, str]:
    marks = ", ".join("?" * len(numbers))
    query = f"SELECT number, subject FROM subjects WHERE family = ? AND number IN ({marks})"
    rows: list[tuple[Any, ...]] = cache.read(query, (base.family, *numbers))
    return dict(rows)


def newest_commits(base: Base, most: int) -> list[str]:
    """Return the ids of the newest ancestors, newest first; ties are ordered by id."""
    numbers = np.flatnonzero(base.ancestors)
    if len(numbers) > most:
        times = base.times[numbers]
        numbers = numbers[times >= np.partition(times, -most)[-most]]
    dated = ((-int(base.times[number]), base.id(number)) for number in numbers.tolist())
    return [id for _, id in sorted(dated)[:most]]


MOST_FILES = 20


def changed_functions(commits: GitLog, ids: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return the dotted names of the functions that each commit changed, by the file's path at that commit.

    Functions in tests are left out, and so are all functions of a commit that changed more than 20 source files.
    """
    return {id: _functions_of_commit(commits, spans) for id, spans in commits.spans(ids).items()}


def _functions_of_commit(commits: GitLog, spans: Iterable[Span]) -> dict[str, tuple[str, ...]]:
    files: dict[tuple[str, str], list[Span]] = defaultdict(list)
    for span in spans:
        if not exclusion_reason(span.path, "100644") and not is_test_or_example(span.path):
            files[span.path, span.blob].append(span)
    if not files or len(files) > MOST_FILES:
        return {}
    read = commits.blobs(blob for _, blob in files)
    found = {path: _changed_functions(read.get(blob, b""), path, own) for (path, blob), own in files.items()}
    return {path: names for path, names in found.items() if names}


def _changed_functions(data: bytes, path: str, spans: Sequence[Span]) -> tuple[str, ...]:
    """Return the innermost functions that enclose these lines."""
    if unreadable_reason(data):
        return ()
    symbols = load_language(language_of(path)).parse(data).outline.symbols
    return tuple(dict.fromkeys(name for span in spans for name in _innermost(symbols, span)))


def _innermost(symbols: Sequence[Symbol], span: Span) -> Iterable[str]:
    touched = {n: one for n, one in enumerate(symbols) if one.line <= span.last and span.first <= one.end}
    inner = {symbols[n].parent for n, one in touched.items() if one.kind == FUNCTION}
    return (one.name for n, one in touched.items() if one.kind == FUNCTION and n not in inner)


def message_references(commits: GitLog, ids: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return the references in each commit's message.

    `numbers` are the issues and pull requests that the message mentions, starting with those that the commit closes;
    `names` are identifiers.
    """
    from aci.history.git_log import parse_message
    from aci.issue_text.issue_mentions import WORD, is_identifier_like

    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for one in commits.read(ids):
        text = one.message[:MOST_READ].decode("utf-8", "replace")
        numbers: Mapping[int, int] = parse_message(one.message).numbers
        found[one.id] = {
            "numbers": tuple(str(number) for number in sorted(numbers, key=lambda number: -numbers[number])),
            "names": tuple(dict.fromkeys(word for word in WORD.findall(text) if is_identifier_like(word)))[:MOST_NAMES],
        }
    return found


MOST_READ, MOST_NAMES = 1_000, 20
"""Maximum number of bytes of a message that are searched for names, and maximum number of names."""
