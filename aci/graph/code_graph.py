"""One tree's view of the code graph: its files and definitions, who refers to whom, and which of them hold a term.

Nodes are numbers: a file's node, then those of its definitions in the order of its outline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from aci.cache import Damaged
from aci.graph.blobs import Blobs
from aci.graph.build import Outlines, manifest
from aci.graph.links import KINDS, Bundle
from aci.graph.outline import BASE, Outline, Place, Symbol
from aci.graph.postings import DEFINES, Documents, Postings
from aci.graph.store import Manifest, Store

if TYPE_CHECKING:
    from networkx import DiGraph

Answer = TypeVar("Answer")
Nodes = npt.NDArray[np.int64]
MOST_MEANT = 12
"""An attribute of a receiver nobody knows may mean every method of that name; of more than these it says nothing."""
FAMILY = {"typescript": "javascript", "tsx": "javascript", "cpp": "c"}
"""Languages whose code calls another's: the others of a family stand for that."""


class Link(NamedTuple):
    """What refers to a place, or what it refers to. `weight` is below 1 where others may be meant as well."""

    place: Place
    kind: str
    line: int
    """Of the reference, in the file that refers."""
    weight: float


class Edges(NamedTuple):
    """Edges as columns; `kind` counts in `KINDS`."""

    source: Nodes
    target: Nodes
    kind: npt.NDArray[np.int32]
    line: npt.NDArray[np.int32]
    weight: npt.NDArray[np.float32]


def asked(blobs: Blobs, folder: Path | None, question: Callable[[Graph], Answer]) -> Answer:
    """What the graph of a tree answers; made again where the cache proves to be damaged meanwhile.

    `folder` is the cache's; without one the graph lives in memory. Raises WorkspaceError where it cannot be written.
    """
    store = Store(folder)
    try:
        return store.cache.mended(lambda: question(Graph(manifest(blobs, store), store)))
    finally:
        store.close()


def _in_order(parts: Sequence[Postings]) -> Postings:
    """The postings of several segments as one; which tree came into the store when makes no difference."""
    if len(parts) == 1 and (np.diff(parts[0].documents) > 0).all():
        return parts[0]
    order = np.argsort(np.concatenate([one.documents for one in parts]))
    return Postings._make(np.concatenate(column)[order] for column in zip(*parts, strict=True))


class Graph:
    """Made by `asked`. Its methods raise Damaged, which is for `asked` to catch."""

    def __init__(self, manifest: Manifest, store: Store) -> None:
        self.paths = manifest.paths
        self.left_out = manifest.left_out
        self.number = {path: number for number, path in enumerate(manifest.paths)}
        self._manifest, self._store = manifest, store
        self._bundles: dict[int, Bundle] = {}
        self._outlines = Outlines(dict(zip(manifest.paths, manifest.keys, strict=True)), store)

    # Nodes

    @cached_property
    def _segments(self) -> dict[int, Documents]:
        return {segment: self._store.documents(segment) for segment in sorted(set(self._manifest.segments))}

    @cached_property
    def first(self) -> Nodes:
        """The node of each file, and the number of all nodes at the end."""
        sizes = {segment: np.bincount(documents.blob) for segment, documents in self._segments.items()}
        spots = zip(self._manifest.segments, self._manifest.numbers, strict=True)
        counts = [int(sizes[segment][number]) for segment, number in spots]
        return np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))

    @cached_property
    def _nodes(self) -> dict[int, Nodes]:
        """By segment: the node of each document, -1 for those of other trees."""
        segments = np.array(self._manifest.segments, np.int64)
        numbers = np.array(self._manifest.numbers, np.int64)
        found = {}
        for segment, documents in self._segments.items():
            begins = np.concatenate(([0], np.cumsum(np.bincount(documents.blob))))
            shift = np.full(len(begins), np.iinfo(np.int64).min, np.int64)
            files = np.flatnonzero(segments == segment)[::-1]  # of two files with one blob the first stands for both
            shift[numbers[files]] = self.first[files] - begins[numbers[files]]
            nodes = np.arange(len(documents.blob)) + shift[documents.blob]
            found[segment] = np.where(nodes >= 0, nodes, -1)
        return found

    def _column(self, of: Callable[[Documents], npt.NDArray[np.int64]]) -> Nodes:
        """A value of each node, from its document; files with one blob have the same."""
        column = np.zeros(int(self.first[-1]), np.int64)
        segments = np.array(self._manifest.segments, np.int64)
        numbers = np.array(self._manifest.numbers, np.int64)
        for segment, documents in self._segments.items():
            begins = np.concatenate(([0], np.cumsum(np.bincount(documents.blob))))
            nodes = np.flatnonzero(segments[self.file] == segment)
            files = self.file[nodes]
            column[nodes] = of(documents)[begins[numbers[files]] + nodes - self.first[files]]
        return column

    @cached_property
    def file(self) -> Nodes:
        """The file of each node, as an index of `paths`."""
        return np.repeat(np.arange(len(self.paths)), np.diff(self.first))

    @cached_property
    def parent(self) -> Nodes:
        """The node around each; a file's is itself."""
        around = self._column(lambda documents: documents.parent.astype(np.int64) - np.arange(len(documents.parent)))
        return around + np.arange(len(around))

    @cached_property
    def is_method(self) -> npt.NDArray[np.bool_]:
        """Whether a node stands in another definition."""
        around: npt.NDArray[np.bool_] = self.parent != self.first[self.file]
        return around

    @cached_property
    def code_length(self) -> Nodes:
        """Words in the code of each node, definitions inside it not counted."""
        return self._column(lambda documents: documents.code.astype(np.int64))

    @cached_property
    def prose_length(self) -> Nodes:
        """Words in its comments and docstrings."""
        return self._column(lambda documents: documents.prose.astype(np.int64))

    def node(self, place: Place) -> int:
        return int(self.first[self.number[place.path]]) + 1 + place.symbol

    def place(self, node: int) -> Place:
        file = int(self.file[node])
        return Place(self.paths[file], int(node - self.first[file]) - 1)

    # Files and definitions

    def outline(self, path: str) -> Outline:
        """Raises KeyError for a path that is not indexed."""
        return self._outlines[path]

    def blob(self, path: str) -> str:
        """The id of a file's blob."""
        return self._manifest.keys[self.number[path]].partition(":")[0]

    def symbol(self, place: Place) -> Symbol | None:
        """None for a file."""
        return self.outline(place.path).symbols[place.symbol] if place.symbol >= 0 else None

    def defining(self, name: str) -> list[Place]:
        """The definitions with that name, as bare as it stands, or dotted: `Class.method`, `module.function`."""
        *before, bare = name.replace("::", ".").replace("#", ".").strip(".").split(".")
        found = [self.place(node) for node in self.nodes_defining([bare]).get(bare, np.zeros(0, np.int64)).tolist()]
        for depth in range(len(before)):
            tail = before[depth:]
            if narrowed := [place for place in found if self._is_inside(place, tail)]:
                return narrowed
        return found

    def _is_inside(self, place: Place, tail: Sequence[str]) -> bool:
        """Whether the dotted name of a place, its module's included, ends with these parts before its bare name."""
        symbol = self.symbol(place)
        assert symbol
        whole = [*place.path.rpartition(".")[0].removesuffix("/__init__").split("/"), *symbol.name.split(".")[:-1]]
        return whole[-len(tail) :] == list(tail)

    def nodes_defining(self, names: Iterable[str]) -> dict[str, Nodes]:
        """Nodes by exact bare name."""
        found = self.holding([DEFINES + name for name in names])
        return {name.removeprefix(DEFINES): postings.documents.astype(np.int64) for name, postings in found.items()}

    def names(self) -> set[str]:
        """All bare names that are defined in the tree; some are other trees' whose files were indexed with these."""
        return {name for segment in self._segments for name in self._store.names(segment)}

    # Terms

    def holding(self, terms: Sequence[str]) -> dict[str, Postings]:
        """For each term that the tree holds, the nodes that do and how often; see `aci/graph/postings.py`."""
        parts: dict[str, list[Postings]] = {}
        for segment, nodes in self._nodes.items():
            for term, postings in self._store.postings(segment, terms).items():
                mapped = nodes[postings.documents]
                there = mapped >= 0
                if there.any():
                    columns = (column[there] for column in postings[1:])
                    parts.setdefault(term, []).append(Postings(mapped[there], *columns))
        return {term: _in_order(parts[term]) for term in terms if term in parts}

    # Edges

    def edges(self, files: Iterable[int] | None = None, loose: bool = True, into: Place | None = None) -> Edges:
        """The edges out of some files (indices of `paths`), or of all; with what attributes of unknowns may mean.

        With `into` the edges to that place, and what attributes of its name may mean.
        """
        symbol = self.symbol(into) if into else None
        meant = symbol.bare if symbol else ""
        wanted = range(len(self.paths)) if files is None else sorted(set(files))
        by_bundle: dict[int, list[int]] = {}
        for file in wanted:
            by_bundle.setdefault(self._manifest.edges[file], []).append(file)
        parts = [self._known(number, mine, into) for number, mine in by_bundle.items()]
        if loose and (meant or not into):
            parts += [self._meant(number, mine, meant) for number, mine in by_bundle.items()]
        empty = np.zeros(0, np.int64)
        columns = zip(*parts, strict=True) if parts else [[empty]] * len(Edges._fields)
        edges = Edges(*map(np.concatenate, columns))
        order = np.argsort(edges.source, kind="stable")  # whatever tree the bundles were made for
        return Edges._make(column[order] for column in edges)

    def _bundle(self, number: int) -> Bundle:
        if number not in self._bundles:
            self._bundles[number] = self._store.bundle(number)
        return self._bundles[number]

    def _known(self, number: int, files: Sequence[int], into: Place | None) -> Edges:
        """The edges of a bundle's files whose targets are known."""
        bundle, mine, nodes = self._in_bundle(number, files)
        rows = bundle.edges(mine, into)
        target = nodes[rows.path] + 1 + rows.target
        source = self.first[[self.number.get(path, 0) for path in bundle.files]][rows.file] + 1 + rows.symbol
        return Edges(source, target, rows.kind, rows.line, rows.weight)

    def _in_bundle(self, number: int, files: Sequence[int]) -> tuple[Bundle, list[int], Nodes]:
        """The bundle, the files' numbers in it, and the node of each of its paths."""
        bundle = self._bundle(number)
        try:
            mine = [bundle.number[self.paths[file]] for file in files]
        except KeyError as error:
            raise Damaged(f"Bundle {number} has no {error}") from error
        return bundle, mine, self.first[[self.number.get(path, 0) for path in bundle.paths]]

    @cached_property
    def _family(self) -> Nodes:
        """The family of languages of each file, as a number."""
        languages = [key.partition(":")[2] for key in self._manifest.keys]
        families = [FAMILY.get(language, language) for language in languages]
        numbers = {family: number for number, family in enumerate(sorted(set(families)))}
        return np.fromiter(map(numbers.__getitem__, families), np.int64, len(families))

    def _meant(self, number: int, files: Sequence[int], only: str) -> Edges:
        """What the attributes of unknown receivers may mean: the methods of that name, if they are few."""
        bundle, mine, _ = self._in_bundle(number, files)
        rows = bundle.loose(mine, only)
        file = np.fromiter((self.number.get(path, 0) for path in bundle.files), np.int64, len(bundle.files))[rows.file]
        # Each name as each family of languages means it, by the numbers of both.
        families = int(self._family.max(initial=0)) + 1
        asked, which = np.unique(rows.name * families + self._family[file], return_inverse=True)
        methods = self._methods([(bundle.names[one // families], one % families) for one in asked.tolist()])
        sizes = np.fromiter(map(len, methods), np.int64, len(methods))
        each = sizes[which]
        offset = np.arange(int(each.sum())) - np.repeat(np.cumsum(each) - each, each)
        begins = np.cumsum(sizes) - sizes
        target = np.concatenate([*methods, np.zeros(0, np.int64)])[np.repeat(begins[which], each) + offset]
        weight = np.repeat(1 / np.maximum(each, 1), each).astype(np.float32)
        columns = (self.first[file] + 1 + rows.symbol, rows.kind, rows.line)
        source, kind, line = (np.repeat(column, each) for column in columns)
        return Edges(source, target, kind, line, weight)

    def _methods(self, asked: Sequence[tuple[str, int]]) -> list[Nodes]:
        """The methods of each name in each family of languages; none if they are too many."""
        found = self.nodes_defining({name for name, _ in asked})
        none = np.zeros(0, np.int64)
        methods = []
        for name, family in asked:
            nodes = found.get(name, none)
            nodes = nodes[self.is_method[nodes] & (self._family[self.file[nodes]] == family)]
            methods.append(nodes if len(nodes) <= MOST_MEANT else none)
        return methods

    def callees(self, place: Place) -> list[Link]:
        """What a definition refers to (a class: its methods too), surest first."""
        return self._out(place, lambda kind: kind != KINDS.index(BASE))

    def bases(self, place: Place) -> list[Link]:
        return self._out(place, lambda kind: kind == KINDS.index(BASE))

    def callers(self, place: Place) -> list[Link]:
        """Who refers to a definition, surest first."""
        return self._into(place, lambda kind: kind != KINDS.index(BASE))

    def subclasses(self, place: Place) -> list[Link]:
        return self._into(place, lambda kind: kind == KINDS.index(BASE))

    def _out(self, place: Place, wanted: Callable[[int], bool]) -> list[Link]:
        node = self.node(place)
        edges = self.edges([self.number[place.path]])
        mine = (edges.source == node) | (self.parent[edges.source] == node if place.symbol >= 0 else False)
        return self._links(edges, mine & (edges.target != node), edges.target, wanted)

    def _into(self, place: Place, wanted: Callable[[int], bool]) -> list[Link]:
        node = self.node(place)
        edges = self.edges(into=place)
        return self._links(edges, (edges.target == node) & (edges.source != node), edges.source, wanted)

    def _links(
        self, edges: Edges, mine: npt.NDArray[np.bool_], ends: Nodes, wanted: Callable[[int], bool]
    ) -> list[Link]:
        found: dict[tuple[int, int], Link] = {}
        for row in np.flatnonzero(mine).tolist():
            kind = int(edges.kind[row])
            if wanted(kind):
                link = Link(self.place(int(ends[row])), KINDS[kind], int(edges.line[row]), float(edges.weight[row]))
                known = found.get((int(ends[row]), kind))
                if known is None or (known.weight, -known.line) < (link.weight, -link.line):
                    found[int(ends[row]), kind] = link
        return sorted(found.values(), key=lambda link: (-link.weight, link.place, link.line))

    def neighbourhood(self, places: Sequence[Place], most: int = 60) -> DiGraph[Place]:
        """What is linked with these places, in both directions, surest first; edges have `kind` and `weight`."""
        from networkx import DiGraph

        graph: DiGraph[Place] = DiGraph()
        graph.add_nodes_from(places)
        links: list[tuple[Place, Place, Link]] = []
        for place in places:
            links += [(place, link.place, link) for link in (*self.callees(place), *self.bases(place))]
            links += [(link.place, place, link) for link in (*self.callers(place), *self.subclasses(place))]
        for source, target, link in sorted(links, key=lambda one: (-one[2].weight, one[:2])):
            if len(graph) < most or (source in graph and target in graph):
                graph.add_edge(source, target, kind=link.kind, weight=link.weight)
        return graph
