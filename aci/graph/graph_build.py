"""Construction of a tree's graph in the store: new blobs are parsed, and the references in files that a change may
affect are resolved."""

from __future__ import annotations

import gc
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np

from aci.graph.file_selection import TOO_LARGE, exclusion_reason, language_of, unreadable_reason
from aci.graph.graph_store import BlobPosition, Manifest, ParsedBlob, Store
from aci.graph.name_resolution import Resolver
from aci.graph.outline import Outline
from aci.graph.parser import LARGE_TREE, files_about, key_about, load_language
from aci.graph.term_postings import Builder
from aci.issue_text.issue_mentions import WORD, split_identifier
from aci.repository.file_blobs import Blobs

MISSING_BLOB = "missing from the repository"
NOT_ABOUT_IT = "not among the most relevant files of a very large tree"
_FOLDER_MODULE = re.compile(r"(?:^|/)(?:__init__\.\w+|index(?:\.d)?\.\w+|(?:mod|lib|main)\.rs)$")
"""Files that are imported under the name of their folder, so that their importers need not mention the file's own
name."""
MOST_PARTS = 40
"""Maximum number of a tree's segments, and of its bundles, since a query searches each segment."""


def load_manifest(blobs: Blobs, store: Store, about: str | None = None) -> Manifest:
    """Return the manifest of a tree; build the tree's graph first if it is not stored yet. Raises Damaged.

    With `about`, a text, the graph of a very large tree has only the files that this text is about.
    """
    key = blobs.key
    found = store.manifest(key)
    if found is None:
        selection = _select(blobs)
        if about is not None and len(selection.keys) > LARGE_TREE:
            key = key_about(key, about)
            found = store.manifest(key)
            selection = selection if found else _narrow(selection, blobs, about)
    if found is None:
        with _garbage_collection_disabled():
            found = _build(selection, blobs, store)
        # Another clone may have the blobs that this one lacks.
        store.keep(f"{key} in part" if MISSING_BLOB in found.left_out.values() else key, found)
    return found


class Selection(NamedTuple):
    """The files of a tree to index: the blob key of each path, and why others are left out."""

    keys: dict[str, str]
    reasons: dict[str, str]


def _select(blobs: Blobs) -> Selection:
    found = Selection({}, {})
    for path, mode, id in blobs.files():
        if reason := exclusion_reason(path, mode):
            found.reasons[path] = reason
        else:
            found.keys[path] = f"{id}:{language_of(path)}"
    return found


def _narrow(selection: Selection, blobs: Blobs, about: str) -> Selection:
    """Keep only the files that a text is about."""
    kept = files_about(blobs, {path: key.partition(":")[0] for path, key in selection.keys.items()}, about)
    others = {path: NOT_ABOUT_IT for path in selection.keys if path not in kept}
    return Selection({path: key for path, key in selection.keys.items() if path in kept}, selection.reasons | others)


@contextmanager
def _garbage_collection_disabled() -> Iterator[None]:
    """Disable garbage collection, which would take a third of the build time although the objects contain no cycles."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree that is being stored: the blob key of each path, and the position of each key in the store."""

    keys: Mapping[str, str]
    spots: Mapping[str, BlobPosition]


def _build(selection: Selection, blobs: Blobs, store: Store) -> Manifest:
    wanted, reasons = selection
    spots = store.known(wanted.values())
    missing = [key for key in dict.fromkeys(wanted.values()) if key not in spots] + _scattered(spots)
    fresh: dict[str, Outline] = {}
    if missing:
        builder = Builder()
        parsed = list(_parse(blobs, missing, builder))
        spots |= store.add(parsed, builder.segment(), spots)
        fresh = {blob.key: blob.outline for blob in parsed}
    why = {path: spots[key].reason if key in spots else MISSING_BLOB for path, key in wanted.items()}
    reasons = reasons | {path: reason for path, reason in why.items() if reason}
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


def _scattered(spots: Mapping[str, BlobPosition]) -> list[str]:
    """Return the keys of the blobs in small segments if there are too many segments, so that they are merged into one
    segment."""
    small = _small_parts(Counter(spot.segment for spot in spots.values()))
    return [key for key, spot in spots.items() if spot.segment in small]


def _small_parts(sizes: Counter[int]) -> set[int]:
    """Return all parts (segments or bundles) except the MOST_PARTS // 4 largest, if there are more than MOST_PARTS."""
    return set() if len(sizes) <= MOST_PARTS else {part for part, _ in sizes.most_common()[MOST_PARTS // 4 :]}


def _parse(blobs: Blobs, keys: Sequence[str], builder: Builder) -> Iterator[ParsedBlob]:
    """Parse the blobs of these keys, except those that the repository lacks."""
    ids = [key.partition(":")[0] for key in keys]
    for key, id, data in zip(keys, ids, blobs.read(ids), strict=True):
        if id in blobs.absent or (data is not None and not _has_id(data, id)):
            blobs.absent.add(id)
            continue
        reason = TOO_LARGE if data is None else unreadable_reason(data)
        if data is None or reason:
            builder.add(b"", (), [])
            yield ParsedBlob(key, Outline(), reason)
            continue
        outline, prose = load_language(key.partition(":")[2]).parse(data)
        builder.add(data, outline.symbols, prose)
        yield ParsedBlob(key, outline)


def _has_id(data: bytes, id: str) -> bool:
    """Return whether the git hash of the data equals `id`.

    Git does not verify the id on reading, and the store shares blobs between repositories.
    """
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest() == id


class Outlines(Mapping[str, Outline]):
    """The outlines of a tree's files by path, read from the store on demand."""

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
    """Return the number of the bundle with each file's edges; valid bundles of the most similar stored tree are
    reused."""
    bundles = _reusable_bundles(tree, store)
    stale = [path for path in tree.keys if path not in bundles]
    if stale:
        resolver = Resolver(outlines)
        bundle = store.link({path: resolver.resolve(path) for path in stale})
        bundles |= dict.fromkeys(stale, bundle)
    return bundles


def _reusable_bundles(tree: Tree, store: Store) -> dict[str, int]:
    """Return the stored bundle of each file whose edges are still valid: neither the file nor any of its dependencies
    has changed."""
    recent = store.recent(tree.keys)
    known = [dict(zip(one.paths, one.keys, strict=True)) for one in recent]
    common = [len(one.items() & tree.keys.items()) for one in known]
    if not common or max(common) < len(tree.keys) // 10:
        return {}
    nearest = recent[common.index(max(common))]
    before = known[common.index(max(common))]
    changed = {path for path, _ in before.items() ^ tree.keys.items()}
    moved = before.keys() ^ tree.keys.keys()
    if any(_FOLDER_MODULE.search(path) for path in moved):
        return {}
    unsure = changed | (_mentioning(tree, store, moved, _folders(before) ^ _folders(tree.keys)) if moved else set())
    reusable = {path: number for path, number in zip(nearest.paths, nearest.edges, strict=True) if path not in unsure}
    reaching = {number: store.bundle(number).reaching(unsure) for number in set(reusable.values())} if unsure else {}
    small = _small_parts(Counter(reusable.values()))
    return {path: n for path, n in reusable.items() if n not in small and path not in reaching.get(n, ())}


def _folders(paths: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        above = path.rpartition("/")[0]
        while above and above not in found:
            found.add(above)
            above = above.rpartition("/")[0]
    return found


def _mentioning(tree: Tree, store: Store, moved: Set[str], folders: Set[str]) -> set[str]:
    """Return the files that may depend on files or folders that were added or removed.

    These are the files in the same folder and the files that contain a word of an added or removed name: their imports
    may now resolve to something else.
    """
    beside = {path.rpartition("/")[0] for path in moved}
    names = {PurePosixPath(path).stem for path in moved} | {PurePosixPath(path).name for path in beside | folders}
    terms = [_first_terms(name) for name in names if name]
    if not all(terms):  # a name that consists only of stop words and single letters, which are not indexed
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
    return {term for word in WORD.findall(name) for term in split_identifier(word)[:1]}
