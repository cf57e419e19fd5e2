"""Brings a tree into the store: parses the blobs that are new, resolves the files that a change may have reached."""

from __future__ import annotations

import gc
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from aci.graph.blobs import Blobs
from aci.graph.choice import TOO_LARGE, language_of, left_out, unreadable
from aci.graph.outline import Outline
from aci.graph.parse import load
from aci.graph.postings import Builder
from aci.graph.resolve import Resolver
from aci.graph.store import Manifest, Parsed, Spot, Store
from aci.words import WORD, split

MISSING = "missing from the repository"
_FOLDER_S = re.compile(r"(?:^|/)(?:__init__\.\w+|index(?:\.d)?\.\w+|(?:mod|lib|main)\.rs)$")
"""Files that stand for their folder: who is led otherwise by one that comes or goes may mention neither."""
MOST_PARTS = 40
"""Of a tree's segments, and of its bundles: a query looks into each segment."""


def manifest(blobs: Blobs, store: Store) -> Manifest:
    """What the tree is made of; made if it is not known yet. Raises Damaged."""
    found = store.manifest(blobs.key)
    if found is None:
        with _no_collections():
            found = _made(blobs, store)
        # Another clone may have what this one lacks.
        store.keep(f"{blobs.key} in part" if MISSING in found.left_out.values() else blobs.key, found)
    return found


@contextmanager
def _no_collections() -> Iterator[None]:
    """Millions of small objects are made and kept, in no circles: looking for these takes a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree on its way into the store: the key of each path's blob, and where these are."""

    keys: Mapping[str, str]
    spots: Mapping[str, Spot]


def _made(blobs: Blobs, store: Store) -> Manifest:
    reasons: dict[str, str] = {}
    wanted: dict[str, str] = {}
    for path, mode, id in blobs.files():
        if reason := left_out(path, mode):
            reasons[path] = reason
        else:
            wanted[path] = f"{id}:{language_of(path)}"
    spots = store.known(wanted.values())
    missing = [key for key in dict.fromkeys(wanted.values()) if key not in spots] + _scattered(spots)
    fresh: dict[str, Outline] = {}
    if missing:
        builder = Builder()
        parsed = list(_parse(blobs, missing, builder))
        spots |= store.add(parsed, builder.segment(), spots)
        fresh = {blob.key: blob.outline for blob in parsed}
    why = {path: spots[key].reason if key in spots else MISSING for path, key in wanted.items()}
    reasons |= {path: reason for path, reason in why.items() if reason}
    tree = Tree({path: key for path, key in sorted(wanted.items()) if path not in reasons}, spots)
    edges = _edges(tree, store, Outlines(tree.keys, store, fresh))
    return Manifest(
        tuple(tree.keys),
        tuple(tree.keys.values()),
        tuple(spots[key].segment for key in tree.keys.values()),
        tuple(spots[key].number for key in tree.keys.values()),
        tuple(edges[path] for path in tree.keys),
        reasons,
    )


def _scattered(spots: Mapping[str, Spot]) -> list[str]:
    """The blobs of small segments, where there are too many of these: they are indexed together again."""
    small = _small(Counter(spot.segment for spot in spots.values()))
    return [key for key, spot in spots.items() if spot.segment in small]


def _small(sizes: Counter[int]) -> set[int]:
    """The parts, but for the largest few, if they are too many."""
    return set() if len(sizes) <= MOST_PARTS else {part for part, _ in sizes.most_common()[MOST_PARTS // 4 :]}


def _parse(blobs: Blobs, keys: Sequence[str], builder: Builder) -> Iterator[Parsed]:
    """The blobs of these keys, but for those that the repository lacks."""
    ids = [key.partition(":")[0] for key in keys]
    for key, id, data in zip(keys, ids, blobs.read(ids), strict=True):
        if id in blobs.absent or (data is not None and not _is_named(data, id)):
            blobs.absent.add(id)
            continue
        reason = TOO_LARGE if data is None else unreadable(data)
        if data is None or reason:
            builder.add(b"", (), [])
            yield Parsed(key, Outline(), reason)
            continue
        outline, prose = load(key.partition(":")[2]).parse(data)
        builder.add(data, outline.symbols, prose)
        yield Parsed(key, outline)


def _is_named(data: bytes, id: str) -> bool:
    """Whether that is the blob's id. git does not look, and trees of other repositories may name the same blob."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest() == id


class Outlines(Mapping[str, Outline]):
    """The outlines of a tree's files by path, read from the store when asked for."""

    def __init__(self, keys: Mapping[str, str], store: Store, fresh: Mapping[str, Outline] | None = None) -> None:
        self._keys, self._store = keys, store
        self._read = dict(fresh or {})

    def __getitem__(self, path: str) -> Outline:
        key = self._keys[path]
        if key not in self._read:
            self._read[key] = self._store.outline(key)
        return self._read[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, path: object) -> bool:
        return path in self._keys


def _edges(tree: Tree, store: Store, outlines: Outlines) -> dict[str, int]:
    """The bundles of all files' edges: those of the nearest known tree where they still hold."""
    bundles = _kept(tree, store)
    stale = [path for path in tree.keys if path not in bundles]
    if stale:
        resolver = Resolver(outlines)
        made = store.link({path: resolver.resolve(path) for path in stale})
        bundles |= dict.fromkeys(stale, made)
    return bundles


def _kept(tree: Tree, store: Store) -> dict[str, int]:
    """The bundles of files whose own blob, and those of all files that had a say, are as they were in a known tree."""
    recent = store.recent(tree.keys)
    known = [dict(zip(one.paths, one.keys, strict=True)) for one in recent]
    common = [len(one.items() & tree.keys.items()) for one in known]
    if not common or max(common) < len(tree.keys) // 10:
        return {}
    nearest = recent[common.index(max(common))]
    before = known[common.index(max(common))]
    changed = {path for path, _ in before.items() ^ tree.keys.items()}
    moved = before.keys() ^ tree.keys.keys()
    if any(_FOLDER_S.search(path) for path in moved):
        return {}
    unsure = changed | (_mentioning(tree, store, moved, _folders(before) ^ _folders(tree.keys)) if moved else set())
    kept = {path: number for path, number in zip(nearest.paths, nearest.edges, strict=True) if path not in unsure}
    reaching = {number: store.bundle(number).reaching(unsure) for number in set(kept.values())} if unsure else {}
    small = _small(Counter(kept.values()))
    return {path: n for path, n in kept.items() if n not in small and path not in reaching.get(n, ())}


def _folders(paths: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        above = path.rpartition("/")[0]
        while above and above not in found:
            found.add(above)
            above = above.rpartition("/")[0]
    return found


def _mentioning(tree: Tree, store: Store, moved: Set[str], folders: Set[str]) -> set[str]:
    """The files for which it may matter that files or folders are there or not any more: those beside a file, and those
    that have a word of its name.

    What they import, and what led nowhere or elsewhere, may mean it now.
    """
    beside = {path.rpartition("/")[0] for path in moved}
    names = {PurePosixPath(path).stem for path in moved} | {PurePosixPath(path).name for path in beside | folders}
    terms = [_first_terms(name) for name in names if name]
    if not all(terms):  # a name of stop words and single letters, which no posting has
        return set(tree.keys)
    wanted = sorted(set().union(*terms))
    found: set[tuple[int, int]] = set()
    for segment in {spot.segment for spot in tree.spots.values()} if wanted else ():
        documents = store.documents(segment)
        for postings in store.postings(segment, wanted).values():
            found |= {
                (segment, number) for number in np.flatnonzero(np.bincount(documents.blob[postings.documents])).tolist()
            }
    return {
        path for path, key in tree.keys.items() if tree.spots[key][:2] in found or path.rpartition("/")[0] in beside
    }


def _first_terms(name: str) -> set[str]:
    return {term for word in WORD.findall(name) for term in split(word)[:1]}
