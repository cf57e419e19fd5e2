"""Similarity of two sequences."""

from functools import lru_cache


def align(left, right):
    """The length of the longest common subsequence."""

    @lru_cache(maxsize=None)
    def best(i, j):
        if i == len(left) or j == len(right):
            return 0
        if left[i] == right[j]:
            return 1 + best(i + 1, j + 1)
        return max(best(i + 1, j), best(i, j + 1))

    return best(0, 0)
