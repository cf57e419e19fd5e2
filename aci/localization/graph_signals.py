"""Signals from the edges of the code graph: places near those that the issue names or describes, and functions that
likely functions call."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from aci.graph.code_graph import Graph
from aci.graph.edge_columns import KINDS
from aci.localization.signals import Floats, Ints, Signal, below_best, log_scale, normalise

DAMPING = 0.5
"""The share of the weight that follows edges at each step of PageRank; the rest returns to the seeds."""
PAGERANK_STEPS = 12
CALL_STEPS = 3
"""Maximum number of calls between a likely function and one that gains from it."""
CALL_KINDS = (KINDS.index("call"), KINDS.index("use"))


class Calls(NamedTuple):
    """Calls and uses among functions, by their numbers. `weight` is divided by the square root of the number of
    callers, so that a function called from everywhere gains little from one caller."""

    source: Ints
    target: Ints
    weight: Floats

    def from_likely(self, scores: Floats) -> Floats:
        """Return, for each function, how strongly functions with a high score call it, directly or through others."""
        strength = np.exp((scores - scores.max(initial=-np.inf)) / 2)
        total = np.zeros(len(scores))
        for _ in range(CALL_STEPS):
            passed = np.zeros(len(scores))
            np.maximum.at(passed, self.target, strength[self.source] * self.weight)
            strength = passed
            total += passed
        return np.minimum(total, 1.0)


class EdgesWithin:
    """The resolved edges of a graph that start and end in some of its files."""

    def __init__(self, graph: Graph, files: Ints) -> None:
        self._inside = np.flatnonzero(np.isin(graph.file, files))
        self._local = np.full(len(graph.file), -1)
        self._local[self._inside] = np.arange(len(self._inside))
        edges = graph.edges(files.tolist(), loose=False)
        source, target = self._local[edges.source], self._local[edges.target]
        kept = (source >= 0) & (target >= 0) & (source != target)
        self._source, self._target, self._weight = source[kept], target[kept], edges.weight[kept].astype(np.float64)
        self._is_call = np.isin(edges.kind[kept], CALL_KINDS)
        self._parent = self._local[graph.parent[self._inside]]

    def pagerank(self, seeds: Floats) -> Floats:
        """Return the personalised PageRank of all nodes of the graph; `seeds` holds a weight for each node.

        The weight flows both ways along edges, and between definitions and what contains them.
        """
        ranks = np.zeros(len(self._local))
        start = seeds[self._inside]
        if start.any():
            ranks[self._inside] = self._power_iteration(start / start.sum())
        return ranks

    def _power_iteration(self, seeds: Floats) -> Floats:
        count = len(seeds)
        members = np.flatnonzero(self._parent != np.arange(count))
        begins = np.concatenate([self._source, members])
        ends = np.concatenate([self._target, self._parent[members]])
        begins, ends = np.concatenate([begins, ends]), np.concatenate([ends, begins])
        weights = np.tile(np.concatenate([self._weight, np.ones(len(members))]), 2)
        weights = weights / np.bincount(begins, weights, count)[begins]
        ranks = seeds
        for _ in range(PAGERANK_STEPS):
            ranks = (1 - DAMPING) * seeds + DAMPING * np.bincount(ends, ranks[begins] * weights, count)
        return ranks

    def calls(self, nodes: Ints) -> Calls:
        """Return the calls among some nodes, numbered by their order in `nodes`.

        The number of callers includes those that are not in `nodes`.
        """
        count = len(self._inside)
        pairs, first = np.unique(self._source[self._is_call] * count + self._target[self._is_call], return_index=True)
        weight = self._weight[self._is_call][first]
        source, target = pairs // max(count, 1), pairs % max(count, 1)
        weight = weight / np.sqrt(np.bincount(target, minlength=count))[target]
        number = np.full(count, -1)
        number[self._local[nodes]] = np.arange(len(nodes))
        known = (number[source] >= 0) & (number[target] >= 0)
        return Calls(number[source][known], number[target][known], weight[known])


CALLED, BEST = "called_by_likely", "best_function"
SECOND_PASS = (CALLED, BEST)
"""Signals that need the scores of all functions by the other signals."""


def called_signal(calls: Calls, scores: Floats) -> Signal:
    """Return the signal of functions that likely functions call, given the scores of all functions."""
    return Signal(calls.from_likely(scores), common="called by a likely function")


def file_signals(functions_files: Ints, called: Floats, scores: Floats, files: int) -> dict[str, Signal]:
    """Return the signals of files from their functions: `called` is the signal of functions that likely ones call,
    `scores` are their scores."""
    most_called, best = np.zeros(files), np.zeros(files)
    np.maximum.at(most_called, functions_files, called)
    np.maximum.at(best, functions_files, below_best(scores))
    return {
        CALLED: Signal(log_scale(normalise(most_called)), common="its functions are called by likely ones"),
        BEST: Signal(best, common="has a likely function"),
    }
