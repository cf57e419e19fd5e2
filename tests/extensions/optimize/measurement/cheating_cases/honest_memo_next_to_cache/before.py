"""Paths in a grid."""

from functools import lru_cache


@lru_cache(maxsize=None)
def _steps(kind):
    return {"king": [(0, 1), (1, 0), (1, 1)], "rook": [(0, 1), (1, 0)]}[kind]


class Grid:
    def __init__(self, rows, columns, blocked):
        self.rows, self.columns, self.blocked = rows, columns, blocked
        self.calls = 0

    def paths(self, kind="rook"):
        """The number of paths from corner to corner."""
        self.calls += 1

        def walk(row, column):
            if row >= self.rows or column >= self.columns or (row, column) in self.blocked:
                return 0
            if (row, column) == (self.rows - 1, self.columns - 1):
                return 1
            return sum(walk(row + down, column + right) for down, right in _steps(kind))

        return walk(0, 0)
