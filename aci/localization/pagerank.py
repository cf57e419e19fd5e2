"""What the issue names outright, spread along calls, inheritance and containment: personalised PageRank."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from aci.graph.graph import Graph
from aci.localization.pointers import Pointer
from aci.localization.signals import Floats, Ints

KINDS = {
    **dict.fromkeys(("class", "function", "method", "called", "trace", "link"), 1.0),
    **dict.fromkeys(("class_in_title", "function_in_title"), 2.0),
}
KEPT = 0.5
"""Share of the weight that goes on at each step; the rest begins again at what is named."""
STEPS = 12


def spread(graph: Graph, files: Ints, pointers: Iterable[Pointer], nodes: Ints) -> Floats:
    """How much of the weight of what is named comes to each of `nodes`; only edges between `files` count."""
    inside = np.flatnonzero(np.isin(graph.file, files))
    local = np.full(len(graph.file), -1)
    local[inside] = np.arange(len(inside))
    seeds = np.zeros(len(inside))
    for pointer in pointers:
        if pointer.node >= 0 and pointer.kind in KINDS and local[pointer.node] >= 0:
            seeds[local[pointer.node]] += pointer.value * KINDS[pointer.kind]
    if not seeds.any() or not len(nodes):
        return np.zeros(len(nodes))
    reached = local[nodes]
    weights = _walked(graph, files, local, inside, seeds / seeds.sum())
    return np.where(reached >= 0, np.sqrt(weights[np.maximum(reached, 0)]), 0.0)


def _walked(graph: Graph, files: Ints, local: Ints, inside: Ints, seeds: Floats) -> Floats:
    edges = graph.edges(files.tolist(), loose=False)
    source, target = local[edges.source], local[edges.target]
    known = (source >= 0) & (target >= 0) & (source != target)
    around = local[graph.parent[inside]]
    members = np.flatnonzero(around != np.arange(len(inside)))
    one_way = (
        np.concatenate([source[known], members]),
        np.concatenate([target[known], around[members]]),
        np.concatenate([edges.weight[known], np.ones(len(members))]),
    )
    begins, ends = np.concatenate(one_way[:2]), np.concatenate(one_way[1::-1])
    weights = np.concatenate([one_way[2], one_way[2]])
    weights = weights / np.bincount(begins, weights, len(inside))[begins]
    found = seeds
    for _ in range(STEPS):
        found = (1 - KEPT) * seeds + KEPT * np.bincount(ends, found[begins] * weights, len(inside))
    return found
