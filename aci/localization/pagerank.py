"""Personalised PageRank, which spreads weight from the places that the issue names along calls, inheritance and
containment."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from aci.graph.code_graph import Graph
from aci.localization.explicit_mentions import Pointer
from aci.localization.signals import Floats, Ints

KINDS = {
    **dict.fromkeys(("class", "function", "method", "called", "trace", "link"), 1.0),
    **dict.fromkeys(("class_in_title", "function_in_title"), 2.0),
}
DAMPING = 0.5
"""The damping factor: the share of the weight that follows edges at each step; the rest returns to the seeds."""
STEPS = 12


def personalised_pagerank(graph: Graph, files: Ints, pointers: Iterable[Pointer], nodes: Ints) -> Floats:
    """Return the weight that reaches each of `nodes` from the nodes that the issue names, along edges within
    `files`."""
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
    weights = _power_iteration(graph, files, local, inside, seeds / seeds.sum())
    return np.where(reached >= 0, np.sqrt(weights[np.maximum(reached, 0)]), 0.0)


def _power_iteration(graph: Graph, files: Ints, local: Ints, inside: Ints, seeds: Floats) -> Floats:
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
        found = (1 - DAMPING) * seeds + DAMPING * np.bincount(ends, found[begins] * weights, len(inside))
    return found
