"""Reciprocal rank fusion: one ranking from several (Cormack, Clarke and Büttcher, 2009)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

Item = TypeVar("Item", bound=Hashable)
RANK = 20
"""The constant that is added to each rank, which starts at 1."""


def fuse_ranks(rankings: Iterable[tuple[float, Sequence[Item]]]) -> list[Item]:
    """Return the items of all rankings, the best first; each ranking has a weight.

    An item scores the sum of weight / (RANK + rank). Of equal items, the one that is met first comes first.
    """
    scores: dict[Item, float] = defaultdict(float)
    for weight, ranked in rankings:
        for rank, item in enumerate(dict.fromkeys(ranked), 1):
            scores[item] += weight / (RANK + rank)
    return sorted(scores, key=lambda item: -scores[item])
