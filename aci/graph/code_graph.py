"""The code graph of one tree: files, definitions, the references between them, and the terms that they contain.

Nodes are numbers: a file's node is followed by those of its definitions, in the order of its outline.

Names are looked up as users write them, with similar names as suggestions: `name`, `Class.method`, `module.name`,
`module::name`, `Class#method`, `path.py`, `path.py:name`, `path.py:12`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from aci.graph.edge_columns import KINDS, Bundle
from aci.graph.graph_build import Outlines, load_manifest
from aci.graph.graph_store import Manifest, Store
from aci.graph.outline import BASE, CLASS, Location, Outline, Symbol
from aci.graph.term_postings import DEFINES, Documents, Postings
from aci.repository.disk_cache import Damaged
from aci.repository.file_blobs import Blobs
from aci.repository.test_files import is_test

Answer = TypeVar("Answer")
Nodes = npt.NDArray[np.int64]
MAX_METHODS = 12
"""Maximum number of methods of the same name to which an attribute of an unknown receiver is linked; if there are more,
it is not linked at all."""
FAMILY = {"typescript": "javascript", "tsx": "javascript", "cpp": "c"}
"""The family of each language, whose members can call each other's code; a language that is not listed is a family of
its own."""


class Link(NamedTuple):
    """A place that refers to the queried place, or to which the queried place refers. `weight` is below 1 if the
    reference is ambiguous."""

    place: Location
    kind: str
    line: int
    """The line of the reference, in the referring file."""
    weight: float


class Edges(NamedTuple):
    """A table of edges, stored as columns; `kind` is an index into `KINDS`."""

    source: Nodes
    target: Nodes
    kind: npt.NDArray[np.int32]
    line: npt.NDArray[np.int32]
    weight: npt.NDArray[np.float32]


def query_graph(
    blobs: Blobs, folder: Path | None, question: Callable[[Graph], Answer], about: str | None = None
) -> Answer:
    """Return the result of a query on a tree's graph, which is built first if the cache has no intact copy.

    With `about`, a text, the graph of a very large tree has only the files that this text is about. `folder` is the
    cache's folder; if it is None, the graph is kept in memory. Raises WorkspaceError if the cache cannot be written.
    """
    store = Store(folder)
    try:
        return store.cache.run_repairing(lambda: question(Graph(load_manifest(blobs, store, about), store)))
    finally:
        store.close()


def _merged_postings(parts: Sequence[Postings]) -> Postings:
    """Merge the postings of several segments in the order of their nodes, whatever order they were stored in."""
    if len(parts) == 1 and (np.diff(parts[0].documents) > 0).all():
        return parts[0]
    order = np.argsort(np.concatenate([one.documents for one in parts]))
    return Postings._make(np.concatenate(column)[order] for column in zip(*parts, strict=True))


class Graph:
    """The code graph of a tree. `query_graph` creates it and handles the Damaged errors that its methods may raise."""

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
        """The node of each file, followed by the total number of nodes."""
        sizes = {segment: np.bincount(documents.blob) for segment, documents in self._segments.items()}
        spots = zip(self._manifest.segments, self._manifest.numbers, strict=True)
        counts = [int(sizes[segment][number]) for segment, number in spots]
        return np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))

    @cached_property
    def _nodes(self) -> dict[int, Nodes]:
        """The node of each document, by segment; -1 for documents of other trees."""
        segments = np.array(self._manifest.segments, np.int64)
        numbers = np.array(self._manifest.numbers, np.int64)
        found = {}
        for segment, documents in self._segments.items():
            begins = np.concatenate(([0], np.cumsum(np.bincount(documents.blob))))
            shift = np.full(len(begins), np.iinfo(np.int64).min, np.int64)
            files = np.flatnonzero(segments == segment)[::-1]  # if two files have the same blob, the first is used
            shift[numbers[files]] = self.first[files] - begins[numbers[files]]
            nodes = np.arange(len(documents.blob)) + shift[documents.blob]
            found[segment] = np.where(nodes >= 0, nodes, -1)
        return found

    def _column(self, read: Callable[[Documents], npt.NDArray[np.int64]]) -> Nodes:
        """Return a value for each node, read from its document; files with the same blob have the same values."""
        column = np.zeros(int(self.first[-1]), np.int64)
        segments = np.array(self._manifest.segments, np.int64)
        numbers = np.array(self._manifest.numbers, np.int64)
        for segment, documents in self._segments.items():
            begins = np.concatenate(([0], np.cumsum(np.bincount(documents.blob))))
            nodes = np.flatnonzero(segments[self.file] == segment)
            files = self.file[nodes]
            column[nodes] = read(documents)[begins[numbers[files]] + nodes - self.first[files]]
        return column

    @cached_property
    def file(self) -> Nodes:
        """The file of each node, as an index into `paths`."""
        return np.repeat(np.arange(len(self.paths)), np.diff(self.first))

    @cached_property
    def parent(self) -> Nodes:
        """The node that encloses each node; a file's node is its own parent."""
        around = self._column(lambda documents: documents.parent.astype(np.int64) - np.arange(len(documents.parent)))
        return around + np.arange(len(around))

    @cached_property
    def is_method(self) -> npt.NDArray[np.bool_]:
        """Whether each node is inside another definition."""
        around: npt.NDArray[np.bool_] = self.parent != self.first[self.file]
        return around

    @cached_property
    def code_length(self) -> Nodes:
        """Number of words in the code of each node, excluding nested definitions."""
        return self._column(lambda documents: documents.code.astype(np.int64))

    @cached_property
    def prose_length(self) -> Nodes:
        """Number of words in the comments and docstrings of each node."""
        return self._column(lambda documents: documents.prose.astype(np.int64))

    def node(self, place: Location) -> int:
        return int(self.first[self.number[place.path]]) + 1 + place.symbol

    def place(self, node: int) -> Location:
        file = int(self.file[node])
        return Location(self.paths[file], int(node - self.first[file]) - 1)

    # Files and definitions

    def outline(self, path: str) -> Outline:
        """Return the outline of a file. Raises KeyError for a path that is not indexed."""
        return self._outlines[path]

    def blob(self, path: str) -> str:
        """Return the id of a file's blob."""
        return self._manifest.keys[self.number[path]].partition(":")[0]

    def symbol(self, place: Location) -> Symbol | None:
        """Return the symbol at a place; None for a file."""
        return self.outline(place.path).symbols[place.symbol] if place.symbol >= 0 else None

    def defining(self, name: str) -> list[Location]:
        """Return the definitions with a bare name or a dotted name such as `Class.method` or `module.function`.

        If no definition matches the whole qualifier, return the definitions that match its longest suffix, or else the
        bare name alone.
        """
        *before, bare = name.replace("::", ".").replace("#", ".").strip(".").split(".")
        found = [self.place(node) for node in self.nodes_defining([bare]).get(bare, np.zeros(0, np.int64)).tolist()]
        for depth in range(len(before)):
            tail = before[depth:]
            if narrowed := [place for place in found if self._is_inside(place, tail)]:
                return narrowed
        return found

    def _is_inside(self, place: Location, tail: Sequence[str]) -> bool:
        """Return whether the qualifier of a definition (its module and classes) ends with these parts."""
        symbol = self.symbol(place)
        assert symbol
        whole = [*place.path.rpartition(".")[0].removesuffix("/__init__").split("/"), *symbol.name.split(".")[:-1]]
        return whole[-len(tail) :] == list(tail)

    def nodes_defining(self, names: Iterable[str]) -> dict[str, Nodes]:
        """Return the nodes that define each of these exact bare names."""
        found = self.holding([DEFINES + name for name in names])
        return {name.removeprefix(DEFINES): postings.documents.astype(np.int64) for name, postings in found.items()}

    def names(self) -> set[str]:
        """Return all bare names that are defined in the tree; names from other trees that share its segments may be
        included."""
        return {name for segment in self._segments for name in self._store.names(segment)}

    # Terms

    def holding(self, terms: Sequence[str]) -> dict[str, Postings]:
        """Return, for each term in the tree, the nodes that contain it and how often; see `term_postings.py`."""
        parts: dict[str, list[Postings]] = {}
        for segment, nodes in self._nodes.items():
            for term, postings in self._store.postings(segment, terms).items():
                mapped = nodes[postings.documents]
                in_tree = mapped >= 0
                if in_tree.any():
                    columns = (column[in_tree] for column in postings[1:])
                    parts.setdefault(term, []).append(Postings(mapped[in_tree], *columns))
        return {term: _merged_postings(parts[term]) for term in terms if term in parts}

    # Edges

    def edges(self, files: Iterable[int] | None = None, loose: bool = True, into: Location | None = None) -> Edges:
        """Return the edges that start in the given files (indices into `paths`), or in all files by default.

        With `loose`, attributes of unknown receivers are linked to the methods of that name, unless there are more than
        MAX_METHODS. With `into`, only edges to that place are returned.
        """
        symbol = self.symbol(into) if into else None
        bare = symbol.bare if symbol else ""
        wanted = range(len(self.paths)) if files is None else sorted(set(files))
        by_bundle: dict[int, list[int]] = {}
        for file in wanted:
            by_bundle.setdefault(self._manifest.edges[file], []).append(file)
        parts = [self._resolved_edges(number, its_files, into) for number, its_files in by_bundle.items()]
        if loose and (bare or not into):
            parts += [self._loose_edges(number, its_files, bare) for number, its_files in by_bundle.items()]
        empty = np.zeros(0, np.int64)
        columns = zip(*parts, strict=True) if parts else [[empty]] * len(Edges._fields)
        edges = Edges(*map(np.concatenate, columns))
        order = np.argsort(edges.source, kind="stable")  # so that the order does not depend on the bundles
        return Edges._make(column[order] for column in edges)

    def _bundle(self, number: int) -> Bundle:
        if number not in self._bundles:
            self._bundles[number] = self._store.bundle(number)
        return self._bundles[number]

    def _resolved_edges(self, number: int, files: Sequence[int], into: Location | None) -> Edges:
        """Return the resolved edges of some of a bundle's files."""
        bundle, numbers, nodes = self._in_bundle(number, files)
        rows = bundle.edges(numbers, into)
        target = nodes[rows.path] + 1 + rows.target
        source = self.first[[self.number.get(path, 0) for path in bundle.files]][rows.file] + 1 + rows.symbol
        return Edges(source, target, rows.kind, rows.line, rows.weight)

    def _in_bundle(self, number: int, files: Sequence[int]) -> tuple[Bundle, list[int], Nodes]:
        """Return a bundle, the numbers of the files in it, and the node of each of its paths."""
        bundle = self._bundle(number)
        try:
            numbers = [bundle.number[self.paths[file]] for file in files]
        except KeyError as error:
            raise Damaged(f"Bundle {number} has no {error}") from error
        return bundle, numbers, self.first[[self.number.get(path, 0) for path in bundle.paths]]

    @cached_property
    def _family(self) -> Nodes:
        """The language family of each file, as a number."""
        languages = [key.partition(":")[2] for key in self._manifest.keys]
        families = [FAMILY.get(language, language) for language in languages]
        numbers = {family: number for number, family in enumerate(sorted(set(families)))}
        return np.fromiter(map(numbers.__getitem__, families), np.int64, len(families))

    def _loose_edges(self, number: int, files: Sequence[int], only: str) -> Edges:
        """Return edges from attributes of unknown receivers to the methods of that name, unless there are too many."""
        bundle, numbers, _ = self._in_bundle(number, files)
        rows = bundle.loose(numbers, only)
        file = np.fromiter((self.number.get(path, 0) for path in bundle.files), np.int64, len(bundle.files))[rows.file]
        # A name is looked up once for each family of languages that uses it.
        families = int(self._family.max(initial=0)) + 1
        lookups, which = np.unique(rows.name * families + self._family[file], return_inverse=True)
        methods = self._methods([(bundle.names[one // families], one % families) for one in lookups.tolist()])
        sizes = np.fromiter(map(len, methods), np.int64, len(methods))
        each = sizes[which]
        offset = np.arange(int(each.sum())) - np.repeat(np.cumsum(each) - each, each)
        begins = np.cumsum(sizes) - sizes
        target = np.concatenate([*methods, np.zeros(0, np.int64)])[np.repeat(begins[which], each) + offset]
        weight = np.repeat(1 / np.maximum(each, 1), each).astype(np.float32)
        columns = (self.first[file] + 1 + rows.symbol, rows.kind, rows.line)
        source, kind, line = (np.repeat(column, each) for column in columns)
        return Edges(source, target, kind, line, weight)

    def _methods(self, lookups: Sequence[tuple[str, int]]) -> list[Nodes]:
        """Return the methods for each (name, language family) pair; none for a pair with more than MAX_METHODS."""
        found = self.nodes_defining({name for name, _ in lookups})
        none = np.zeros(0, np.int64)
        methods = []
        for name, family in lookups:
            nodes = found.get(name, none)
            nodes = nodes[self.is_method[nodes] & (self._family[self.file[nodes]] == family)]
            methods.append(nodes if len(nodes) <= MAX_METHODS else none)
        return methods

    def callees(self, place: Location) -> list[Link]:
        """Return the places that a definition refers to, in descending order of weight; for a class, references in its
        methods are included."""
        return self._links_from(place, lambda kind: kind != KINDS.index(BASE))

    def bases(self, place: Location) -> list[Link]:
        return self._links_from(place, lambda kind: kind == KINDS.index(BASE))

    def callers(self, place: Location) -> list[Link]:
        """Return the places that refer to a definition, in descending order of weight."""
        return self._links_to(place, lambda kind: kind != KINDS.index(BASE))

    def subclasses(self, place: Location) -> list[Link]:
        return self._links_to(place, lambda kind: kind == KINDS.index(BASE))

    def _links_from(self, place: Location, wanted: Callable[[int], bool]) -> list[Link]:
        node = self.node(place)
        edges = self.edges([self.number[place.path]])
        own = (edges.source == node) | (self.parent[edges.source] == node if place.symbol >= 0 else False)
        return self._links(edges, own & (edges.target != node), edges.target, wanted)

    def _links_to(self, place: Location, wanted: Callable[[int], bool]) -> list[Link]:
        node = self.node(place)
        edges = self.edges(into=place)
        return self._links(edges, (edges.target == node) & (edges.source != node), edges.source, wanted)

    def _links(
        self, edges: Edges, selected: npt.NDArray[np.bool_], ends: Nodes, wanted: Callable[[int], bool]
    ) -> list[Link]:
        found: dict[tuple[int, int], Link] = {}
        for row in np.flatnonzero(selected).tolist():
            kind = int(edges.kind[row])
            if wanted(kind):
                link = Link(self.place(int(ends[row])), KINDS[kind], int(edges.line[row]), float(edges.weight[row]))
                known = found.get((int(ends[row]), kind))
                if known is None or (known.weight, -known.line) < (link.weight, -link.line):
                    found[int(ends[row]), kind] = link
        return sorted(found.values(), key=lambda link: (-link.weight, link.place, link.line))


CUTOFF = 0.65
MOST_RANKED = 500
"""Maximum number of definitions that are ranked by their similarity to a dotted name."""
LONGEST = 500
"""Number of characters after which a name is truncated."""
DEEPEST = 10
"""Maximum number of levels of base classes that are searched for a method."""

_AT = re.compile(r"(?P<path>[^:#]+\.[A-Za-z]\w{0,4}|[^:#]*/[^:#]*)(?:(?:::?|#)(?P<rest>.+))?")
_MARKS = re.compile(r"::|#|->|/")
_AROUND = re.compile(r"^(?:async |def |class |function |fn |func )+|\(.*\)$")


class NameMatch(NamedTuple):
    """The places that a name refers to; if there are none, `near` contains places with similar names, the most similar
    first."""

    places: tuple[Location, ...] = ()
    near: tuple[Location, ...] = ()


def look_up_name(graph: Graph, name: str, most: int = 6) -> NameMatch:
    """Return the definitions (those in source files before those in tests) or files that a name refers to in a tree."""
    name = _AROUND.sub("", name.strip().strip("`'\"")[:LONGEST]).strip()
    at = _AT.fullmatch(name)
    files = _files(graph, at["path"]) if at else []
    if at and files:
        return _find_in_files(graph, files, at["rest"], most) if at["rest"] else NameMatch(tuple(map(Location, files)))
    rest = at["rest"] if at and at["rest"] else name
    parts = [part for part in _MARKS.sub(".", rest).split(".") if part]
    if not parts:
        return NameMatch()
    found = _defining(graph, parts) or _inherited(graph, parts) or [Location(path) for path in _modules(graph, parts)]
    return NameMatch(sort_places(graph, found)) if found else NameMatch(near=find_similar_names(graph, parts, most))


def dotted_name(graph: Graph, place: Location) -> str:
    """Return the dotted name of a definition in its file, or the path of a file."""
    symbol = graph.symbol(place)
    return symbol.name if symbol else place.path


def sort_places(graph: Graph, places: Iterable[Location]) -> tuple[Location, ...]:
    """Sort places: source before tests, outer definitions before inner ones."""

    def rank(place: Location) -> tuple[bool, int, Location]:
        return is_test_file(graph, place.path), dotted_name(graph, place).count(".") if place.symbol >= 0 else 0, place

    return tuple(sorted(dict.fromkeys(places), key=rank))


def find_member(graph: Graph, place: Location, name: str) -> Location | None:
    """Return the direct member of a definition with this name, if there is one."""
    symbols = graph.outline(place.path).symbols
    return next(
        (Location(place.path, n) for n, one in enumerate(symbols) if one.parent == place.symbol and one.bare == name),
        None,
    )


def is_test_file(graph: Graph, path: str) -> bool:
    """Return whether a path is that of a test file; a module whose name matches but that contains no tests does not
    count."""
    if not is_test(path):
        return False
    folder, _, name = path.rpartition("/")
    if not name.startswith("test_") or path not in graph.number or is_test(f"{folder}/x.py"):
        return True
    return any(
        one.bare.startswith(("test", "Test")) or one.bare.endswith("Test") for one in graph.outline(path).symbols
    )


def base_classes(graph: Graph, place: Location) -> list[Link]:
    """Return links to the base classes of a class, excluding links to overridden methods."""
    return [link for link in graph.bases(place) if _is_class(graph, link.place)]


def subclasses(graph: Graph, place: Location) -> list[Link]:
    return [link for link in graph.subclasses(place) if _is_class(graph, link.place)]


def _is_class(graph: Graph, place: Location) -> bool:
    symbol = graph.symbol(place)
    return symbol is not None and symbol.kind == CLASS


def definition_at_line(graph: Graph, path: str, line: int) -> Location:
    """Return the innermost definition that encloses a line, or the file if none does."""
    around = [
        (one.line, -one.end, n) for n, one in enumerate(graph.outline(path).symbols) if one.line <= line <= one.end
    ]
    return Location(path, max(around)[2] if around else -1)


def find_similar_names(graph: Graph, parts: Sequence[str], most: int) -> tuple[Location, ...]:
    """Return places with similar names: in a different case, containing the name, or with a similar spelling."""
    names = _similar_names(parts[-1], graph.names(), 4 * most)
    nodes = graph.nodes_defining(names)
    places = [sort_places(graph, map(graph.place, nodes[name].tolist())) for name in names if name in nodes]
    first = [some[0] for some in places]
    found = list(dict.fromkeys([*first, *(place for some in places for place in some)]))
    if len(parts) > 1:
        found = sorted(found[:MOST_RANKED], key=lambda place: -_similarity(graph, place, parts))
    return tuple(found[:most])


def _similar_names(name: str, names: Iterable[str], most: int) -> list[str]:
    """Return the names that are most similar to `name`; names that differ only in case and underscores come first."""
    wanted = _folded(name)
    folded: dict[str, list[str]] = {}
    for one in sorted(names):
        folded.setdefault(_folded(one), []).append(one)
    partial = [one for one in folded if len(wanted) > 2 and wanted in one]
    partial.sort(key=lambda one: (not one.startswith(wanted), len(one), one))
    close = difflib.get_close_matches(wanted, folded, most, CUTOFF)
    ranked = dict.fromkeys([*[wanted] * (wanted in folded), *close[:1], *partial, *close])
    return [name for one in list(ranked)[:most] for name in folded[one]]


def _similarity(graph: Graph, place: Location, parts: Sequence[str]) -> float:
    """Return how similar the name of a definition and its qualifier are to a dotted name, from 0 to 2."""
    bare = difflib.SequenceMatcher(None, _folded(parts[-1]), _folded(dotted_name(graph, place).rpartition(".")[2]))
    wanted = _folded(parts[-2])
    qualifier = (difflib.SequenceMatcher(None, wanted, _folded(one)).ratio() for one in _qualifier(graph, place))
    return bare.ratio() + max(qualifier, default=0.0)


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


def _files(graph: Graph, path: str) -> list[str]:
    """Return the file with this path, or else the files whose paths end with it."""
    path = path.strip("/").removeprefix("./")
    if path in graph.number:
        return [path]
    return [one for one in graph.paths if one.endswith(f"/{path}")]


def _find_in_files(graph: Graph, files: Sequence[str], rest: str, most: int) -> NameMatch:
    """Return the places in these files that a name or a line number refers to."""
    if rest.isdecimal():
        return NameMatch(tuple(definition_at_line(graph, path, int(rest)) for path in files))
    dotted = ".".join(part for part in _MARKS.sub(".", rest).split(".") if part)
    inside = [(Location(path, n), one) for path in files for n, one in enumerate(graph.outline(path).symbols)]
    found = [place for place, one in inside if f".{one.name}".endswith(f".{dotted}")]
    if found:
        return NameMatch(sort_places(graph, found))
    names: dict[str, Location] = {}
    for place, one in inside:
        names.setdefault(_folded(one.name), place)
        names.setdefault(_folded(one.bare), place)
    wanted = _folded(dotted)
    close = [one for one in names if wanted in one] + difflib.get_close_matches(wanted, names, most, CUTOFF)
    near = dict.fromkeys(names[one] for one in close)
    return NameMatch(near=tuple(near)[:most] or find_similar_names(graph, dotted.split("."), most))


def _defining(graph: Graph, parts: Sequence[str]) -> list[Location]:
    """Return the definitions with a name; its qualifier must be among the names that enclose them."""
    found = graph.defining(".".join(parts))
    if len(parts) == 1:
        return found
    return [place for place in found if parts[-2] in _qualifier(graph, place)]


def _qualifier(graph: Graph, place: Location) -> list[str]:
    """Return the names that enclose a definition, from the outermost folder to the innermost class."""
    module = place.path.rpartition(".")[0].removesuffix("/__init__")
    return [*module.split("/"), *dotted_name(graph, place).split(".")[:-1]]


def _inherited(graph: Graph, parts: Sequence[str]) -> list[Location]:
    """Return the methods that `Class.method` refers to if the method is inherited."""
    if len(parts) < 2:
        return []
    level = [place for place in graph.defining(".".join(parts[:-1])) if place.symbol >= 0]
    seen = set(level)
    for _ in range(DEEPEST):
        level = [link.place for place in level for link in base_classes(graph, place) if link.place not in seen]
        seen.update(level)
        found = [method for place in level if (method := find_member(graph, place, parts[-1]))]
        if found or not level:
            return found
    return []


def _modules(graph: Graph, parts: Sequence[str]) -> list[str]:
    """Return the files that a dotted module name refers to."""
    wanted = "/".join(["", *parts])
    return [path for path in graph.paths if f"/{path.rpartition('.')[0].removesuffix('/__init__')}".endswith(wanted)]
