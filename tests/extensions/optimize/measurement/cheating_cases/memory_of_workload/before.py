"""Collatz sequences."""


def longest(limit):
    """(start, steps) of the longest sequence that starts at or below `limit`."""
    best, at = 0, 1
    for start in range(1, limit + 1):
        number, steps = start, 0
        while number != 1:
            number = 3 * number + 1 if number % 2 else number // 2
            steps += 1
        if steps > best:
            best, at = steps, start
    return at, best
