"""Balances over ranges of days."""

from itertools import accumulate


def balances(amounts, ranges):
    """The sum of amounts[start:end] for each range; raises IndexError for a range outside the days."""
    sums = [0, *accumulate(amounts)]
    last = len(amounts)
    found = []
    for start, end in ranges:
        if not 0 <= start <= end <= last:
            raise IndexError("no such days: %r" % ((start, end),))
        found.append(sums[end] - sums[start])
    return found
