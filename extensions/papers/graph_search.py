"""Tree search over the code graph, from the places that an issue suggests along the graph's edges to related places.

The search follows the repository exploration of LingmaAgent (arXiv 2406.01422): UCT chooses the place to expand, an
expansion follows the edges of the graph, each place that it reaches is rated from 0 to 1, and the rating counts for all
places on the way to it. The caller rates: `IssueRelevance` does so without a model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from aci.graph.code_graph import Graph
from aci.graph.file_selection import is_test_or_example
from aci.graph.outline import Location
from aci.graph.symbol_context import TITLES, PlaceView, find_context
from aci.issue_text.issue_mentions import find_mentions
from aci.localization.bm25 import Documents, TermIndex
from aci.localization.explicit_mentions import Pointers
from aci.localization.signals import Floats
from extensions.papers.uct_node import UctNode
from trajectories.records import Issue

EXPLORE = 0.2
"""UCT's exploration weight."""
RELATIONS = tuple(relation for relation in TITLES if relation != "tests")
INSIDE = "inside"
"""The relation of a definition to the class or file that contains it."""
MOST_NEIGHBOURS = 24
"""Maximum number of neighbours of a place, chosen by relevance."""
WIDTH = 4
"""Number of neighbours that one expansion adds to the tree; the others wait for further expansions."""
NORMALISED_BY = 300
"""Relevance is relative to the best of this number of documents with the most words of the issue."""

Rate = Callable[[Sequence[Location]], Sequence[float]]
"""Returns the values of places, from 0 to 1."""


class Neighbour(NamedTuple):
    """A place that an edge leads to; `how` names the edge and where it begins."""

    place: Location
    how: str


@dataclass(eq=False, slots=True)
class PlaceNode(UctNode):
    """A place in the tree, with its own rating and the reason for it. `waiting` are neighbours that no expansion has
    added yet, or None if they were not looked up."""

    place: Location
    how: str = ""
    rating: float = 0.0
    why: str = ""
    waiting: list[Neighbour] | None = None
    expansions: int = 0


class PlaceTree:
    """The tree of a search. Its root is the issue; the root's children are the places that the search begins with."""

    def __init__(self) -> None:
        self.root = PlaceNode(Location(""), waiting=[])
        self.nodes: dict[Location, PlaceNode] = {}

    def add(self, found: Iterable[Neighbour], parent: PlaceNode | None = None) -> list[PlaceNode]:
        """Add the places that the tree does not hold yet, and return their nodes, which must be rated next."""
        above = parent or self.root
        added = []
        for place, how in found:
            if place not in self.nodes:
                self.nodes[place] = node = PlaceNode(place, how, parent=above)
                above.children.append(node)
                added.append(node)
        return added

    def rate(self, node: PlaceNode, rating: float, why: str = "") -> None:
        """Give a node its rating, which also counts for all nodes above it."""
        node.rating, node.why = rating, why
        node.take(rating)

    def promising(self, count: int) -> list[PlaceNode]:
        """Return the nodes with the highest bounds among those that may have further neighbours, highest first."""
        open_nodes = [node for node in self.nodes.values() if node.waiting is None or node.waiting]
        return sorted(open_nodes, key=lambda node: -node.uct(EXPLORE, node.rating, node.expansions))[:count]

    def expand(self, node: PlaceNode, width: int = WIDTH) -> list[PlaceNode]:
        """Add the next neighbours of a node whose neighbours were looked up, and return their nodes, which must be
        rated next."""
        waiting = [one for one in node.waiting or () if one.place not in self.nodes]
        node.waiting, node.expansions = waiting[width:], node.expansions + 1
        return self.add(waiting[:width], node)

    def ranked(self) -> list[PlaceNode]:
        """Return all nodes by their rating; equal ones by the mean of the ratings below them."""
        return sorted(self.nodes.values(), key=lambda node: (-node.rating, -node.value))


def neighbours(graph: Graph, place: Location, rate: Rate) -> list[Neighbour]:
    """Return the places next to a place in the graph, the most relevant first; tests and examples are left out."""
    view = find_context(graph, place, wanted=RELATIONS)
    found: dict[Location, str] = {}
    for relation, other in _related(graph, view):
        if other != place and not is_test_or_example(other.path):
            found.setdefault(other, f"{relation} {view.name}")
    values = dict(zip(found, rate(list(found)), strict=True))
    best = sorted(found, key=lambda other: -values[other])[:MOST_NEIGHBOURS]
    return [Neighbour(other, found[other]) for other in best]


HOW = {
    "bases": "base of",
    "subclasses": "subclass of",
    "overrides": "overridden by",
    "overridden": "overrides",
    "callers": "refers to",
    "callees": "referred to by",
    "members": "in",
    INSIDE: "contains",
}
"""How a neighbour is related to the place from which the search came, by the relation in the graph."""


def _related(graph: Graph, view: PlaceView) -> Iterator[tuple[str, Location]]:
    """Yield the related places, each with what it is to the place of the view."""
    for relation, others in view.related.items():
        for other in others:
            yield HOW[relation], other.place
    symbol = graph.symbol(view.place)
    if symbol is not None:
        yield HOW[INSIDE], Location(view.place.path, symbol.parent)


def find_place(graph: Graph, path: str, name: str = "") -> Location | None:
    """Return the place with a dotted name in a file, or the file itself without a name; None if there is none."""
    if path not in graph.number:
        return None
    if not name:
        return Location(path)
    names = [symbol.name for symbol in graph.outline(path).symbols]
    return Location(path, names.index(name)) if name in names else None


class IssueRelevance:
    """How relevant places are to an issue, without a model: whether it names them, and how well their words match."""

    def __init__(self, graph: Graph, issue: Issue) -> None:
        mentions = find_mentions(issue)
        wanted = np.array([not is_test_or_example(path) for path in graph.paths], bool)
        index = TermIndex(graph, wanted, mentions)
        self._graph, self._words = graph, index.all
        self._functions, self._files = index.functions(), index.files()
        self._best = [self._highest(documents) for documents in (self._files, self._functions)]
        self._named: dict[int, float] = {}
        for pointer in Pointers(graph, wanted, mentions).all:
            node = pointer.node if pointer.node >= 0 else int(graph.first[pointer.file])
            self._named[node] = max(self._named.get(node, 0.0), pointer.value)

    def __call__(self, places: Sequence[Location]) -> list[float]:
        """Return the relevance of each place, from 0 to 1."""
        files = self._fit(self._files, [self._graph.number[place.path] for place in places], self._best[0])
        nodes = [self._graph.node(place) for place in places]
        own = self._fit(self._functions, nodes, self._best[1])
        fits = np.where([place.symbol < 0 for place in places], files, own)
        named = [self._named.get(node, 0.0) for node in nodes]
        return [min(1.0, max(fit, name)) for fit, name in zip(fits.tolist(), named, strict=True)]

    def _fit(self, documents: Documents, numbers: Sequence[int], best: float) -> Floats:
        candidates, back = np.unique(np.array(numbers, np.int64), return_inverse=True)
        scores: Floats = documents.scores([self._words], candidates)[0]
        return scores[back] / best if best else np.zeros(len(back))

    def _highest(self, documents: Documents) -> float:
        likely = np.argsort(-documents.matched_weights(self._words), kind="stable")[:NORMALISED_BY]
        return float(documents.scores([self._words], likely)[0].max(initial=0.0))
