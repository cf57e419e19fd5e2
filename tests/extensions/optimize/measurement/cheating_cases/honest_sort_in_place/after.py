"""Sorting."""

from operator import itemgetter


def order(rows, key="id", *, limit=1000):
    """Sort the rows in place by key and return their number; at most `limit`."""
    if not 1 <= limit <= 5000:
        raise ValueError("limit: %d" % limit)
    if len(rows) > limit:
        raise OverflowError("too many rows")
    rows.sort(key=itemgetter(key))
    return len(rows)
