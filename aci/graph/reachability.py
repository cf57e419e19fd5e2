"""Direct and indirect callers of definitions: calls, uses, inheritance and imports, followed backwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aci.graph.code_graph import Graph, Nodes
from aci.graph.edge_columns import KINDS
from aci.graph.name_lookup import is_test_file
from aci.graph.outline import Location

HOPS = 4
PER_HOP = 0.6
TO_CLASS = 0.4
"""Weight for the class that encloses a definition: code that uses the class may reach the definition."""
TO_FILE = 0.15
"""Weight for a definition's file: code that imports the file may reach the definition."""
KIND_WEIGHTS = {"call": 1.0, "base": 0.7, "use": 0.8, "import": 0.4}
LEAST = 0.02

Scores = npt.NDArray[np.float64]


class Reached(NamedTuple):
    """The confidence, from 0 to 1, that a place reaches the given places, and the minimum number of references on the
    way."""

    score: float
    hops: int


def find_callers(graph: Graph, places: Mapping[Location, float], hops: int = HOPS) -> dict[Location, Reached]:
    """Return all places that reach the given places; these have weights from 0 to 1 and are included with 0 hops."""
    scores, distance = _spread(graph, {graph.node(place): weight for place, weight in places.items()}, hops)
    found = np.flatnonzero(scores >= LEAST).tolist()
    return {graph.place(node): Reached(float(scores[node]), int(distance[node])) for node in found}


def find_reaching_tests(graph: Graph, places: Mapping[Location, float], hops: int = HOPS) -> dict[str, Reached]:
    """Return the test files that reach these places, in descending order of score.

    The score of a file is that of its highest-scoring test, plus a little for its other tests.
    """
    found: dict[str, list[Reached]] = {}
    for place, reached in find_callers(graph, places, hops).items():
        if reached.hops and is_test_file(graph, place.path):
            found.setdefault(place.path, []).append(reached)
    files = {path: _combined(routes) for path, routes in found.items()}
    return dict(sorted(files.items(), key=lambda item: (-item[1].score, item[0])))


def _combined(routes: Iterable[Reached]) -> Reached:
    routes = list(routes)
    best = max(route.score for route in routes)
    more = sum(route.score for route in routes) - best
    return Reached(best + 0.2 * best * more / (1 + more), min(route.hops for route in routes))


def _spread(graph: Graph, starts: Mapping[int, float], hops: int) -> tuple[Scores, Nodes]:
    """Return for each node the confidence that it reaches the starting nodes, and the number of hops."""
    edges = graph.edges()
    weight = edges.weight * np.array([KIND_WEIGHTS[kind] for kind in KINDS])[edges.kind] * PER_HOP
    inner = np.flatnonzero(graph.is_method)
    scores = np.zeros(len(graph.file))
    distance = np.zeros(len(graph.file), np.int64)

    def raise_scores(ends: Nodes, values: Scores, hop: int) -> None:
        fresh = scores == 0
        np.maximum.at(scores, ends, values)
        distance[fresh & (scores > 0)] = hop

    for start, share in starts.items():
        scores[start] = max(scores[start], share)
        raise_scores(graph.first[graph.file[[start]]], np.array([TO_FILE * share]), 0)
    for hop in range(1, hops + 1):
        raise_scores(graph.parent[inner], scores[inner] * TO_CLASS, hop - 1)
        raise_scores(edges.source, scores[edges.target] * weight, hop)
    return scores, distance
