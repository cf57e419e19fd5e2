"""Nodes of a search tree whose most promising node is chosen by upper confidence bounds (UCT)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self


@dataclass(eq=False, slots=True, kw_only=True)
class UctNode:
    """A node with the number and the sum of the values that it and its descendants were given."""

    parent: Self | None = None
    children: list[Self] = field(default_factory=list)
    visits: int = 0
    total: float = 0.0

    @property
    def value(self) -> float:
        """The mean of the values of this node and its descendants."""
        return self.total / self.visits if self.visits else 0.0

    def take(self, value: float) -> None:
        """Add a value to this node and to all its ancestors."""
        node: UctNode | None = self
        while node is not None:
            node.visits += 1
            node.total += value
            node = node.parent

    def below(self) -> Iterator[Self]:
        """Yield this node and all its descendants."""
        yield self
        for child in self.children:
            yield from child.below()

    def uct(self, explore: float, expected: float, tries: int) -> float:
        """Return the UCT bound of expanding this node once more, after it was expanded `tries` times.

        `explore` is the weight of exploration, `expected` the value that is assumed for what an expanded node gains.
        """
        if tries:
            value, count, above = (expected + self.total) / (self.visits + 1), tries + 1, self.visits
        else:
            value, count, above = self.value, self.visits or 1, self.parent.visits if self.parent else 0
        return value + explore * math.sqrt(math.log(above + 1) / count)
