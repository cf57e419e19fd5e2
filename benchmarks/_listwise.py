"""Listwise fitting: weights that maximise the softmax likelihood of the gold candidates, with L2, by Newton steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aci.localization.signals import Flags, Floats

MAX_STEPS, TOLERANCE = 40, 1e-6
MIN_STEP = 1e-3
"""The line search stops halving the step at this length."""


class Lists:
    """The candidates of all lists in one array; skips lists without gold."""

    def __init__(self, lists: Sequence[tuple[Floats, Flags]]) -> None:
        useful = [(values, gold) for values, gold in lists if gold.any()]
        self.values = np.concatenate([values for values, _ in useful]).astype(np.float64)
        self.wanted = np.concatenate([gold / gold.sum() for _, gold in useful])
        sizes = [len(gold) for _, gold in useful]
        self.starts = np.concatenate(([0], np.cumsum(sizes[:-1]))).astype(np.int64)
        self.list_of = np.repeat(np.arange(len(sizes)), sizes)

    def loss(self, weights: Floats, l2: float) -> tuple[float, Floats]:
        """Return the loss and the probability of each candidate in its list."""
        scores = self.values @ weights
        greatest = np.maximum.reduceat(scores, self.starts)
        powers = np.exp(scores - greatest[self.list_of])
        sums = np.add.reduceat(powers, self.starts)
        loss = float(np.sum(np.log(sums) + greatest) - self.wanted @ scores + 0.5 * l2 * weights @ weights)
        return loss, powers / sums[self.list_of]

    def derivatives(self, weights: Floats, probabilities: Floats, l2: float) -> tuple[Floats, Floats]:
        """Return the first and second derivatives of the loss."""
        weighted = self.values * probabilities[:, None]
        means = np.add.reduceat(weighted, self.starts, axis=0)
        first = self.values.T @ (probabilities - self.wanted) + l2 * weights
        second = weighted.T @ self.values - means.T @ means + l2 * np.eye(len(weights))
        return first, second


def fit(lists: Sequence[tuple[Floats, Flags]], l2: float) -> Floats:
    """Return one weight for each column. The problem is convex, so the result does not depend on the start.

    All weights are 0 if no list has gold.
    """
    if not any(gold.any() for _, gold in lists):
        return np.zeros(lists[0][0].shape[1])
    data = Lists(lists)
    weights: Floats = np.zeros(data.values.shape[1])
    loss, probabilities = data.loss(weights, l2)
    for _ in range(MAX_STEPS):
        first, second = data.derivatives(weights, probabilities, l2)
        step, length = np.linalg.solve(second, first), 1.0
        while True:
            new_loss, new_probabilities = data.loss(weights - length * step, l2)
            if new_loss <= loss - 1e-4 * length * float(first @ step) or length < MIN_STEP:
                break
            length /= 2
        weights = weights - length * step
        gained, loss, probabilities = loss - new_loss, new_loss, new_probabilities
        if gained < TOLERANCE * abs(loss):
            break
    return weights
