"""Who gets to a definition, directly or through others: by calls, uses, inheritance and imports, taken backwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aci.graph.graph import Graph, Nodes
from aci.graph.links import KINDS
from aci.graph.naming import is_test_file
from aci.graph.outline import Place

HOPS = 4
PER_HOP = 0.6
TO_CLASS = 0.4
"""Who uses what a definition stands in may come to it."""
TO_FILE = 0.15
"""Who imports a file may come to anything in it."""
KIND = {"call": 1.0, "base": 0.7, "use": 0.8, "import": 0.4}
LEAST = 0.02

Scores = npt.NDArray[np.float64]


class Reached(NamedTuple):
    """How surely a place gets to what was asked for, from 0 to 1, and over how many references at least."""

    score: float
    hops: int


def reaching(graph: Graph, places: Mapping[Place, float], hops: int = HOPS) -> dict[Place, Reached]:
    """All that gets to these places, of which each counts so much, from 0 to 1; they themselves have no hops."""
    scores, distance = _spread(graph, {graph.node(place): weight for place, weight in places.items()}, hops)
    found = np.flatnonzero(scores >= LEAST).tolist()
    return {graph.place(node): Reached(float(scores[node]), int(distance[node])) for node in found}


def reaching_tests(graph: Graph, places: Mapping[Place, float], hops: int = HOPS) -> dict[str, Reached]:
    """The test files that get to these places, surest first. A file counts as its surest test, others help a little."""
    found: dict[str, list[Reached]] = {}
    for place, reached in reaching(graph, places, hops).items():
        if reached.hops and is_test_file(graph, place.path):
            found.setdefault(place.path, []).append(reached)
    files = {path: _together(ways) for path, ways in found.items()}
    return dict(sorted(files.items(), key=lambda item: (-item[1].score, item[0])))


def _together(ways: Iterable[Reached]) -> Reached:
    ways = list(ways)
    best = max(way.score for way in ways)
    more = sum(way.score for way in ways) - best
    return Reached(best + 0.2 * best * more / (1 + more), min(way.hops for way in ways))


def _spread(graph: Graph, starts: Mapping[int, float], hops: int) -> tuple[Scores, Nodes]:
    """By node: how surely it gets there, and in how many hops."""
    edges = graph.edges()
    weight = edges.weight * np.array([KIND[kind] for kind in KINDS])[edges.kind] * PER_HOP
    inner = np.flatnonzero(graph.is_method)
    scores = np.zeros(len(graph.file))
    distance = np.zeros(len(graph.file), np.int64)

    def raised(ends: Nodes, by: Scores, hop: int) -> None:
        fresh = scores == 0
        np.maximum.at(scores, ends, by)
        distance[fresh & (scores > 0)] = hop

    for start, share in starts.items():
        scores[start] = max(scores[start], share)
        raised(graph.first[graph.file[[start]]], np.array([TO_FILE * share]), 0)
    for hop in range(1, hops + 1):
        raised(graph.parent[inner], scores[inner] * TO_CLASS, hop - 1)
        raised(edges.source, scores[edges.target] * weight, hop)
    return scores, distance
