"""The graph of issue, pull requests and code: ways from an issue over what was done before it to places.

The graph is KGCompass's (arXiv 2503.21710), made of what lies before the base alone: the issue leads to commits that
are like it, to those that it names and to definitions that it names; a commit leads to what it changed and to others
that are about the same issue or pull request; a definition to what it holds and uses, and to what uses it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np

from aci.graph.graph import Graph
from aci.graph.outline import FUNCTION
from aci.history import Past
from aci.localization.pointers import Pointers
from aci.localization.signals import Flags, never_an_answer, share
from aci.localization.text import Documents, Texts
from aci.mentions import Mentions

PER_HOP, HOPS, MOST = 0.6, 2, 20
"""What each link after the first one leaves of a way's weight, how many there are at most, and how many places."""
LIKE, ABOUT = 30, 20
"""Commits that are like the issue, and further ones that are about what those are about."""
MOST_CHANGED = 12
"""A commit that changed more functions leads to none of them."""
LEAST_FIT = 0.1
OF_FUNCTIONS = 0.5
"""What of its functions' weights a file has."""
LIKENESS, AFTER = 4, 0.5
"""The power of a commit's likeness that counts (as in `past.py`), and what a commit counts that is only about the same
number. Like the other constants here they were chosen on one half of the issues of `benchmarks.routes`."""
LONGEST_SUBJECT = 60

Node = int | str
"""A file or definition by its number in the code graph, or a commit by its id."""


class Commits(Protocol):
    """What is asked of a history; see `aci/history.py`."""

    def similar(self, terms: Mapping[str, float], most: int = 30) -> list[Past]: ...

    def named(self, ids: Sequence[str], numbers: Sequence[int]) -> list[Past]: ...

    def touched(self, commits: Sequence[str], present: Sequence[str] | None = None) -> dict[str, tuple[str, ...]]: ...

    def functions(self, commits: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]: ...

    def said(self, commits: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]: ...


class Link(NamedTuple):
    """`share` is how much of a way's weight goes on to the node, `words` how one gets there."""

    to: Node
    share: float
    words: str


@dataclass(frozen=True, slots=True)
class Route:
    """A place with the weight of the ways to it and the weightiest of them in words; without `name` a file."""

    path: str
    name: str
    line: int
    weight: float
    words: str


@dataclass(frozen=True, slots=True)
class Routes:
    """The weightiest first."""

    files: tuple[Route, ...] = ()
    functions: tuple[Route, ...] = ()


class Ways:
    """One issue's links, and what they come to."""

    def __init__(self, graph: Graph, said: Mentions, commits: Commits) -> None:
        self.graph, self._commits = graph, commits
        self.wanted: Flags = np.array([not never_an_answer(path) for path in graph.paths], bool)
        self.text = Texts(graph, self.wanted, said)
        self.like = commits.similar(self.text.all, LIKE)
        named = commits.named(said.shas, said.numbers)
        pointers = Pointers(graph, self.wanted, said).all
        self.first = [Link(one.commit, one.score**LIKENESS, _commit("is like", one)) for one in self.like]
        self.first += [Link(one.commit, one.score, _commit("names", one)) for one in named]
        for one in pointers:
            place = one.node if one.node >= 0 else int(graph.first[one.file])
            self.first.append(Link(place, one.value, f"names {_name(graph, place)}"))
        self.links: dict[Node, list[Link]] = defaultdict(list)
        self._history([*self.like, *named])
        self._code()

    def _history(self, known: Sequence[Past]) -> None:
        """What these commits changed, and those about the same issues."""
        ids = list(dict.fromkeys(one.commit for one in known))
        said = self._commits.said(ids)
        numbers = {id: tuple(map(int, said[id]["numbers"])) for id in said}
        about: dict[str, Past] = {}
        for id in ids:
            for number in numbers.get(id, ()):
                for one in self._commits.named((), (number,)):
                    if one.commit != id and (one.commit in about or one.commit in ids or len(about) < ABOUT):
                        about.setdefault(one.commit, one)
                        self.links[id].append(
                            Link(one.commit, one.score, f"which is about #{number}, as is {_id(one)}")
                        )
        self._changed(list(dict.fromkeys([*ids, *about])))

    def _changed(self, ids: Sequence[str]) -> None:
        touched = self._commits.touched(ids, self.graph.paths)
        functions = self._commits.functions(ids)
        for id in ids:
            files = [self.graph.number[path] for path in touched.get(id, ()) if path in self.graph.number]
            files = [file for file in files if self.wanted[file]]
            for file in files:
                node = int(self.graph.first[file])
                self.links[id].append(Link(node, 1 / len(files), f"which changed {self.graph.paths[file]}"))
            nodes = self._present(functions.get(id, {}))
            for node in nodes if len(nodes) <= MOST_CHANGED else ():
                self.links[id].append(Link(node, 1 / len(nodes), f"which changed {_name(self.graph, node)}"))

    def _present(self, changed: Mapping[str, Sequence[str]]) -> list[int]:
        """The nodes of functions, where they are now: of the same dotted name in the file, or the only one of it."""
        found = []
        for path, names in changed.items():
            for name in names:
                bare = name.rpartition(".")[2]
                nodes = self.graph.nodes_defining([bare]).get(bare, np.zeros(0, np.int64)).tolist()
                same = [node for node in nodes if self._is_called(node, name)]
                there = [node for node in same if self.graph.place(node).path == path] or same
                if len(there) == 1 or (there and self.graph.place(there[0]).path == path):
                    found += [node for node in there[:1] if self.wanted[self.graph.file[node]]]
        return list(dict.fromkeys(found))

    def _is_called(self, node: int, name: str) -> bool:
        symbol = self.graph.symbol(self.graph.place(node))
        return bool(symbol and symbol.name == name and symbol.kind == FUNCTION)

    def _code(self) -> None:
        """From what is reached so far to what it holds, what it uses, and what uses it."""
        graph = self.graph
        reached = {one.to for one in self.first} | {one.to for found in self.links.values() for one in found}
        nodes = {node for node in reached if isinstance(node, int)}
        edges = graph.edges(loose=False)
        known = np.isin(edges.source, list(nodes)) | np.isin(edges.target, list(nodes))
        ways: dict[tuple[int, str], dict[int, float]] = defaultdict(dict)
        for source, target, weight in zip(
            edges.source[known].tolist(), edges.target[known].tolist(), edges.weight[known].tolist(), strict=True
        ):
            for one, other, how in ((source, target, "uses"), (target, source, "is used by")):
                if one in nodes and other != one:
                    ways[one, how][other] = max(ways[one, how].get(other, 0.0), weight)
        for node in np.flatnonzero(np.isin(graph.parent, list(nodes)) & graph.is_method).tolist():
            ways[int(graph.parent[node]), "holds"][int(node)] = 1.0
        for (node, how), others in ways.items():
            ends = {other: weight for other, weight in others.items() if self.wanted[graph.file[other]]}
            for other, weight in ends.items():
                self.links[node].append(Link(other, weight / len(ends), f"which {how} {_name(graph, other)}"))

    def weights(self) -> dict[int, tuple[float, str]]:
        """Of each place that is reached: the sum of its ways' weights, and the weightiest way in words."""
        found: dict[int, tuple[float, float, str]] = {}
        layer: list[tuple[Node, float, str]] = [(one.to, one.share, f"the issue {one.words}") for one in self.first]
        for hop in range(HOPS + 1):
            for node, weight, words in layer:
                if isinstance(node, int):
                    total, best, told = found.get(node, (0.0, 0.0, ""))
                    found[node] = (total + weight, *max((best, told), (weight, words)))
            if hop < HOPS:
                layer = [
                    (link.to, weight * PER_HOP * link.share, f"{words}, {link.words}")
                    for node, weight, words in layer
                    for link in self.links.get(node, ())
                ]
        return {node: (total, words) for node, (total, _, words) in found.items()}

    def fit(self, documents: Documents, numbers: Sequence[int]) -> dict[int, float]:
        """How well the words of each fit the issue's, as a share of the best; a little is left to all."""
        asked = np.array(sorted(numbers), np.int64)
        found = LEAST_FIT + (1 - LEAST_FIT) * share(documents.scores([self.text.all], asked)[0])
        return dict(zip(asked.tolist(), found.tolist(), strict=True))


def routes(ways: Ways, most: int = MOST) -> Routes:
    """The places that ways lead to, by the ways' weights and how well their own words fit the issue; no tests, and no
    classes. A file has a part of what its functions have."""
    graph, found = ways.graph, ways.weights()
    symbols = {node: graph.symbol(graph.place(node)) for node in found}
    functions = {node: symbol for node, symbol in symbols.items() if symbol and symbol.kind == FUNCTION}
    fits = ways.fit(ways.text.functions(), list(functions))
    told = [
        Route(graph.place(node).path, symbol.name, symbol.header, found[node][0] * fits[node], found[node][1])
        for node, symbol in functions.items()
    ]
    paths = {graph.place(node).path for node in found}
    fits = ways.fit(ways.text.files(), [graph.number[path] for path in paths])
    parts = {path: [one for one in told if one.path == path] for path in paths}
    files = [_file(ways, path, found, fits[graph.number[path]], parts[path]) for path in paths]
    return Routes(_best(files, most), _best(told, most))


def _file(ways: Ways, path: str, found: Mapping[int, tuple[float, str]], fit: float, parts: Sequence[Route]) -> Route:
    """A file with its own ways, and the weightiest of its functions' in words if it has none."""
    own, words = found.get(int(ways.graph.first[ways.graph.number[path]]), (0.0, ""))
    words = words or next((one.words for one in _best(parts, 1)), "")
    return Route(path, "", 0, own * fit + OF_FUNCTIONS * sum(one.weight for one in parts), words)


def _best(found: Iterable[Route], most: int) -> tuple[Route, ...]:
    ranked = sorted(found, key=lambda one: (-one.weight, one.path, one.line))
    return tuple(replace(one, weight=round(one.weight, 4)) for one in ranked if one.weight > 0)[:most]


def _name(graph: Graph, node: int) -> str:
    place = graph.place(node)
    symbol = graph.symbol(place)
    return f"{place.path}:{symbol.name}" if symbol else place.path


def _id(one: Past) -> str:
    return f"{one.commit[:7]} {one.subject[:LONGEST_SUBJECT]!r}"


def _commit(how: str, one: Past) -> str:
    return f"{how} {_id(one)}"
