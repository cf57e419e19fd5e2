"""Balances over ranges of days."""


def balances(amounts, ranges):
    """The sum of amounts[start:end] for each range; raises IndexError for a range outside the days."""
    found = []
    for start, end in ranges:
        if not 0 <= start <= end <= len(amounts):
            raise IndexError("no such days: %r" % ((start, end),))
        total = 0
        for day in range(start, end):
            total += amounts[day]
        found.append(total)
    return found
