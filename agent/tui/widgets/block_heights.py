"""Where each of many blocks begins on a long page: heights are guesses until a block is drawn."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable


class Heights:
    """Lines of block after block. Sums are made anew only behind what changed: growth at the end is cheap."""

    def __init__(self) -> None:
        self._of: list[int] = []
        self._starts: list[int] = [0]
        """Sums as far as they are known; the next is the end of the last."""

    def __len__(self) -> int:
        return len(self._of)

    def __getitem__(self, index: int) -> int:
        return self._of[index]

    @property
    def total(self) -> int:
        return self.start(len(self._of))

    def splice(self, begin: int, end: int, heights: Iterable[int]) -> None:
        """Put other blocks in the place of some."""
        self._of[begin:end] = heights
        del self._starts[begin + 1 :]

    def set(self, index: int, height: int) -> None:
        if self._of[index] != height:
            self._of[index] = height
            del self._starts[index + 1 :]

    def start(self, index: int) -> int:
        """The line at which a block begins."""
        starts, of = self._starts, self._of
        while len(starts) <= index:
            starts.append(starts[-1] + of[len(starts) - 1])
        return starts[index]

    def at(self, line: int) -> tuple[int, int]:
        """The block on that line, and which line of it that is; the nearest where the page is shorter."""
        if not self._of:
            return 0, 0
        line = min(max(0, line), max(0, self.total - 1))
        index = min(bisect_right(self._starts, line) - 1, len(self._of) - 1)
        return index, line - self._starts[index]
