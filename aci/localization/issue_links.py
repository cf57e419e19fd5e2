"""A graph that links an issue, earlier issues and pull requests, commits and code, and the routes in it from the issue
to the code.

The graph is based on KGCompass (arXiv 2503.21710), but uses only the base, the commits before it, and earlier items as
they were at the base's date. The issue links to similar commits and items, and to the commits, items and definitions
that it names. An item links to the commits about it, and to the items and definitions that its text names. A commit
links to the files and functions that it changed, to the items that its message mentions, and to commits about the same
issue or pull request. A definition links to the definitions that it contains, uses or is used by.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np

from aci.graph.code_graph import Graph
from aci.graph.file_selection import is_test_or_example
from aci.graph.outline import FUNCTION
from aci.history.commit_search import PastCommit
from aci.issue_text.issue_mentions import Mentions, find_mentions
from aci.localization.bm25 import Documents, TermIndex
from aci.localization.explicit_mentions import Pointers
from aci.localization.past_changes import commits_about, item_similarities, items_from_messages, related_numbers
from aci.localization.signals import Flags, normalise
from trajectories.records import Issue, PastItem

PER_HOP, HOPS, MOST = 0.6, 2, 20
"""Factor for each link of a route after the first, maximum number of such links, and maximum number of results."""
SIMILAR_COMMITS, RELATED_COMMITS = 30, 20
"""Maximum number of commits similar to the issue, and of further commits about the same issues or pull requests."""
MOST_CHANGED = 12
"""A commit that changed more functions than this has no links to them."""
LEAST_FIT = 0.1
FUNCTION_SHARE = 0.5
"""Factor by which the scores of a file's functions are multiplied before they are added to the file's score."""
LIKENESS = 4
"""The exponent of a commit's similarity, as in `past_changes.py`. This and the other constants here were tuned on one
half of the issues of `benchmarks.routes`."""
LONGEST_SUBJECT = 60

SIMILAR_ITEMS = 10
"""Maximum number of items to which the issue links by similarity."""

Node = int | str
"""A file or definition by its number in the code graph, a commit by its id, or an item by `#` and its number."""


class Commits(Protocol):
    """History queries that this module uses; see `aci/history/commit_search.py`."""

    def similar(self, terms: Mapping[str, float], most: int = 30) -> list[PastCommit]: ...

    def find_named(self, ids: Sequence[str], numbers: Sequence[int]) -> list[PastCommit]: ...

    def touched(self, commits: Sequence[str], present: Sequence[str] | None = None) -> dict[str, tuple[str, ...]]: ...

    def functions(self, commits: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]: ...

    def references(self, commits: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]: ...

    def messages(self, commits: Sequence[str]) -> dict[str, tuple[str, str]]: ...


class Link(NamedTuple):
    """A link to a node; `share` is the fraction of a route's weight that the link passes on, `words` describe the
    link."""

    to: Node
    share: float
    words: str


@dataclass(frozen=True, slots=True)
class Route:
    """A file or function with the total weight of the routes to it and the description of the heaviest route; a file
    has no `name`."""

    path: str
    name: str
    line: int
    weight: float
    words: str


@dataclass(frozen=True, slots=True)
class Routes:
    """Files and functions that routes lead to, heaviest first."""

    files: tuple[Route, ...] = ()
    functions: tuple[Route, ...] = ()


class IssueGraph:
    """The links between an issue, earlier items, commits and code, and the weights of the routes along these links.

    `items` are the earlier issues and pull requests; if it is None, they are made from the messages of commits.
    """

    def __init__(
        self, graph: Graph, mentions: Mentions, commits: Commits, items: Sequence[PastItem] | None = None
    ) -> None:
        self.graph, self._commits = graph, commits
        self.wanted: Flags = np.array([not is_test_or_example(path) for path in graph.paths], bool)
        self.text = TermIndex(graph, self.wanted, mentions)
        self.similar = commits.similar(self.text.all, SIMILAR_COMMITS)
        named = commits.find_named(mentions.shas, mentions.numbers)
        pointers = Pointers(graph, self.wanted, mentions).all
        self.first = [Link(one.commit, one.score**LIKENESS, _commit("is similar to", one)) for one in self.similar]
        self.first += [Link(one.commit, one.score, _commit("names", one)) for one in named]
        for one in pointers:
            place = one.node if one.node >= 0 else int(graph.first[one.file])
            self.first.append(Link(place, one.value, f"names {_name(graph, place)}"))
        self.links: dict[Node, list[Link]] = defaultdict(list)
        is_read = items is not None
        if items is None:
            items = items_from_messages(commits, related_numbers(commits, [*named, *self.similar], mentions.numbers))
        self._items = {item.number: item for item in items}
        if is_read:  # messages are already linked as commits
            self._link_similar_items()
        about = self._link_items(mentions.numbers)
        self._link_commits([*self.similar, *named, *about])
        self._link_code()

    def _link_similar_items(self) -> None:
        likeness = item_similarities(self.text.all, list(self._items.values()))
        for number in sorted(likeness, key=lambda number: (-likeness[number], number))[:SIMILAR_ITEMS]:
            words = f"is similar to {_item(self._items[number])}"
            self.first.append(Link(f"#{number}", likeness[number] ** LIKENESS, words))

    def _link_items(self, mentioned: Sequence[int]) -> list[PastCommit]:
        """Link the issue to the earlier items that it mentions, and all items to the commits about them and to what
        their texts name. Return these commits."""
        items = self._items
        self.first += [Link(f"#{n}", 1.0, f"mentions {_item(items[n])}") for n in mentioned if n in items]
        commits: list[PastCommit] = []
        for number, item in items.items():
            links = self.links[f"#{number}"]
            named = find_mentions(Issue(item.title, item.text))
            others = [n for n in named.numbers if n in items and n != number]
            links += [Link(f"#{n}", 1 / len(others), f"which mentions {_item(items[n])}") for n in others]
            values: dict[int, float] = {}
            for one in Pointers(self.graph, self.wanted, named).all:
                node = one.node if one.node >= 0 else int(self.graph.first[one.file])
                values[node] = max(values.get(node, 0.0), one.value)
            for node, value in values.items() if len(values) <= MOST_CHANGED else ():
                links.append(Link(node, value / len(values), f"which names {_name(self.graph, node)}"))
            for commit in commits_about(self._commits, number):
                links.append(Link(commit.commit, 1.0, f"which {_id(commit)} is about"))
                commits.append(commit)
        return commits

    def _link_commits(self, known: Sequence[PastCommit]) -> None:
        """Link these commits to the files and functions that they changed, and to other commits about the same
        issues."""
        ids = list(dict.fromkeys(one.commit for one in known))
        references = self._commits.references(ids)
        numbers = {id: tuple(map(int, references[id]["numbers"])) for id in references}
        about: dict[str, PastCommit] = {}
        for id in ids:
            for number in numbers.get(id, ()):
                if number in self._items:
                    self.links[id].append(Link(f"#{number}", 1.0, f"which mentions {_item(self._items[number])}"))
                for one in self._commits.find_named((), (number,)):
                    if one.commit != id and (one.commit in about or one.commit in ids or len(about) < RELATED_COMMITS):
                        about.setdefault(one.commit, one)
                        self.links[id].append(
                            Link(one.commit, one.score, f"which is about #{number}, as is {_id(one)}")
                        )
        self._link_changes(list(dict.fromkeys([*ids, *about])))

    def _link_changes(self, ids: Sequence[str]) -> None:
        touched = self._commits.touched(ids, self.graph.paths)
        functions = self._commits.functions(ids)
        for id in ids:
            files = [self.graph.number[path] for path in touched.get(id, ()) if path in self.graph.number]
            files = [file for file in files if self.wanted[file]]
            for file in files:
                node = int(self.graph.first[file])
                self.links[id].append(Link(node, 1 / len(files), f"which changed {self.graph.paths[file]}"))
            nodes = self._current_nodes(functions.get(id, {}))
            for node in nodes if len(nodes) <= MOST_CHANGED else ():
                self.links[id].append(Link(node, 1 / len(nodes), f"which changed {_name(self.graph, node)}"))

    def _current_nodes(self, changed: Mapping[str, Sequence[str]]) -> list[int]:
        """Return the graph nodes of the functions that a commit changed.

        A function is found by its dotted name in the same file, or elsewhere if only one function has that name.
        """
        found = []
        for path, names in changed.items():
            for name in names:
                bare = name.rpartition(".")[2]
                nodes = self.graph.nodes_defining([bare]).get(bare, np.zeros(0, np.int64)).tolist()
                same = [node for node in nodes if self._has_name(node, name)]
                nodes = [node for node in same if self.graph.place(node).path == path] or same
                if len(nodes) == 1 or (nodes and self.graph.place(nodes[0]).path == path):
                    found += [node for node in nodes[:1] if self.wanted[self.graph.file[node]]]
        return list(dict.fromkeys(found))

    def _has_name(self, node: int, name: str) -> bool:
        symbol = self.graph.symbol(self.graph.place(node))
        return bool(symbol and symbol.name == name and symbol.kind == FUNCTION)

    def _link_code(self) -> None:
        """Link the nodes reached so far to the nodes that they contain, use or are used by."""
        graph = self.graph
        reached = {one.to for one in self.first} | {one.to for found in self.links.values() for one in found}
        nodes = {node for node in reached if isinstance(node, int)}
        edges = graph.edges(loose=False)
        known = np.isin(edges.source, list(nodes)) | np.isin(edges.target, list(nodes))
        neighbours: dict[tuple[int, str], dict[int, float]] = defaultdict(dict)
        for source, target, weight in zip(
            edges.source[known].tolist(), edges.target[known].tolist(), edges.weight[known].tolist(), strict=True
        ):
            for one, other, how in ((source, target, "uses"), (target, source, "is used by")):
                if one in nodes and other != one:
                    neighbours[one, how][other] = max(neighbours[one, how].get(other, 0.0), weight)
        for node in np.flatnonzero(np.isin(graph.parent, list(nodes)) & graph.is_method).tolist():
            neighbours[int(graph.parent[node]), "contains"][int(node)] = 1.0
        for (node, how), others in neighbours.items():
            ends = {other: weight for other, weight in others.items() if self.wanted[graph.file[other]]}
            for other, weight in ends.items():
                self.links[node].append(Link(other, weight / len(ends), f"which {how} {_name(graph, other)}"))

    def weights(self) -> dict[int, tuple[float, str]]:
        """Return, for each place, the total weight of the routes to it and the description of the heaviest route."""
        found: dict[int, tuple[float, float, str]] = {}
        layer: list[tuple[Node, float, str]] = [(one.to, one.share, f"the issue {one.words}") for one in self.first]
        for hop in range(HOPS + 1):
            for node, weight, words in layer:
                if isinstance(node, int):
                    total, best, best_words = found.get(node, (0.0, 0.0, ""))
                    found[node] = (total + weight, *max((best, best_words), (weight, words)))
            if hop < HOPS:
                layer = [
                    (link.to, weight * PER_HOP * link.share, f"{words}, {link.words}")
                    for node, weight, words in layer
                    for link in self.links.get(node, ())
                ]
        return {node: (total, words) for node, (total, _, words) in found.items()}

    def fit(self, documents: Documents, numbers: Sequence[int]) -> dict[int, float]:
        """Return how well the words of each document match the issue's, from LEAST_FIT to 1 for the best."""
        candidates = np.array(sorted(numbers), np.int64)
        found = LEAST_FIT + (1 - LEAST_FIT) * normalise(documents.scores([self.text.all], candidates)[0])
        return dict(zip(candidates.tolist(), found.tolist(), strict=True))


def rank_routes(ways: IssueGraph, most: int = MOST) -> Routes:
    """Rank the files and functions that routes lead to; tests and classes are left out.

    The score is the weight of the routes times how well the text of the place matches the issue. A file's score also
    includes the scores of its functions, times FUNCTION_SHARE.
    """
    graph, found = ways.graph, ways.weights()
    symbols = {node: graph.symbol(graph.place(node)) for node in found}
    functions = {node: symbol for node, symbol in symbols.items() if symbol and symbol.kind == FUNCTION}
    fits = ways.fit(ways.text.functions(), list(functions))
    ranked = [
        Route(graph.place(node).path, symbol.name, symbol.header, found[node][0] * fits[node], found[node][1])
        for node, symbol in functions.items()
    ]
    paths = {graph.place(node).path for node in found}
    fits = ways.fit(ways.text.files(), [graph.number[path] for path in paths])
    parts = {path: [one for one in ranked if one.path == path] for path in paths}
    files = [_file(ways, path, found, fits[graph.number[path]], parts[path]) for path in paths]
    return Routes(_best(files, most), _best(ranked, most))


def _file(
    ways: IssueGraph, path: str, found: Mapping[int, tuple[float, str]], fit: float, parts: Sequence[Route]
) -> Route:
    """Return the route of a file; if no route leads to the file itself, use the description of its best function's
    route."""
    own, words = found.get(int(ways.graph.first[ways.graph.number[path]]), (0.0, ""))
    words = words or next((one.words for one in _best(parts, 1)), "")
    return Route(path, "", 0, own * fit + FUNCTION_SHARE * sum(one.weight for one in parts), words)


def _best(found: Iterable[Route], most: int) -> tuple[Route, ...]:
    ranked = sorted(found, key=lambda one: (-one.weight, one.path, one.line))
    return tuple(replace(one, weight=round(one.weight, 4)) for one in ranked if one.weight > 0)[:most]


def _name(graph: Graph, node: int) -> str:
    place = graph.place(node)
    symbol = graph.symbol(place)
    return f"{place.path}:{symbol.name}" if symbol else place.path


def _id(one: PastCommit) -> str:
    return f"{one.commit[:7]} {one.subject[:LONGEST_SUBJECT]!r}"


def _item(item: PastItem) -> str:
    return f"#{item.number} {item.title[:LONGEST_SUBJECT]!r}"


def _commit(how: str, one: PastCommit) -> str:
    return f"{how} {_id(one)}"
