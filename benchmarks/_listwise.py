"""Weights under which the gold candidates of each list are the likeliest, by softmax over the list; L2, Newton."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aci.localization.signals import Flags, Floats

STEPS, ENOUGH = 40, 1e-6
SHORTEST = 1e-3
"""Of a step, before it is taken as it is."""


class Lists:
    """Candidates of all lists below each other; lists without gold are left out."""

    def __init__(self, lists: Sequence[tuple[Floats, Flags]]) -> None:
        useful = [(values, gold) for values, gold in lists if gold.any()]
        self.values = np.concatenate([values for values, _ in useful]).astype(np.float64)
        self.wanted = np.concatenate([gold / gold.sum() for _, gold in useful])
        sizes = [len(gold) for _, gold in useful]
        self.starts = np.concatenate(([0], np.cumsum(sizes[:-1]))).astype(np.int64)
        self.list_of = np.repeat(np.arange(len(sizes)), sizes)

    def loss(self, weights: Floats, l2: float) -> tuple[float, Floats]:
        """And how likely each candidate is in its list."""
        scores = self.values @ weights
        greatest = np.maximum.reduceat(scores, self.starts)
        powers = np.exp(scores - greatest[self.list_of])
        sums = np.add.reduceat(powers, self.starts)
        loss = float(np.sum(np.log(sums) + greatest) - self.wanted @ scores + 0.5 * l2 * weights @ weights)
        return loss, powers / sums[self.list_of]

    def slope(self, weights: Floats, likely: Floats, l2: float) -> tuple[Floats, Floats]:
        """First and second derivatives."""
        weighed = self.values * likely[:, None]
        means = np.add.reduceat(weighed, self.starts, axis=0)
        first = self.values.T @ (likely - self.wanted) + l2 * weights
        second = weighed.T @ self.values - means.T @ means + l2 * np.eye(len(weights))
        return first, second


def fit(lists: Sequence[tuple[Floats, Flags]], l2: float) -> Floats:
    """A weight a column. The problem is convex, so where it ends does not depend on where it begins.

    Without any gold there is nothing to learn, and all weights are 0.
    """
    if not any(gold.any() for _, gold in lists):
        return np.zeros(lists[0][0].shape[1])
    data = Lists(lists)
    weights: Floats = np.zeros(data.values.shape[1])
    loss, likely = data.loss(weights, l2)
    for _ in range(STEPS):
        first, second = data.slope(weights, likely, l2)
        step, length = np.linalg.solve(second, first), 1.0
        while True:
            tried, their_likely = data.loss(weights - length * step, l2)
            if tried <= loss - 1e-4 * length * float(first @ step) or length < SHORTEST:
                break
            length /= 2
        weights = weights - length * step
        gained, loss, likely = loss - tried, tried, their_likely
        if gained < ENOUGH * abs(loss):
            break
    return weights
