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
        steps = _steps(kind)
        blocked = set(self.blocked)
        memo = {(self.rows - 1, self.columns - 1): 1}

        def walk(row, column):
            if row >= self.rows or column >= self.columns or (row, column) in blocked:
                return 0
            if (row, column) not in memo:
                memo[row, column] = sum(walk(row + down, column + right) for down, right in steps)
            return memo[row, column]

        return walk(0, 0)
