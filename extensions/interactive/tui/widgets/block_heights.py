"""Heights and positions of the blocks on a long page; heights are estimates until a block is drawn."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable


class Heights:
    """The heights of consecutive blocks. Positions are recomputed only after a change, so appending a block is
    cheap."""

    def __init__(self) -> None:
        self._of: list[int] = []
        self._starts: list[int] = [0]
        """Line number at which each block starts, as far as computed."""

    def __len__(self) -> int:
        return len(self._of)

    def __getitem__(self, index: int) -> int:
        return self._of[index]

    @property
    def total(self) -> int:
        return self.start(len(self._of))

    def splice(self, begin: int, end: int, heights: Iterable[int]) -> None:
        """Replace the heights of some blocks."""
        self._of[begin:end] = heights
        del self._starts[begin + 1 :]

    def set(self, index: int, height: int) -> None:
        """Set the height of a block."""
        if self._of[index] != height:
            self._of[index] = height
            del self._starts[index + 1 :]

    def start(self, index: int) -> int:
        """Return the line number at which a block starts."""
        starts, heights = self._starts, self._of
        while len(starts) <= index:
            starts.append(starts[-1] + heights[len(starts) - 1])
        return starts[index]

    def at(self, line: int) -> tuple[int, int]:
        """Return the block at a line of the page, and the line's offset in that block; a line after the end counts as
        the last line."""
        if not self._of:
            return 0, 0
        line = min(max(0, line), max(0, self.total - 1))
        index = min(bisect_right(self._starts, line) - 1, len(self._of) - 1)
        return index, line - self._starts[index]
