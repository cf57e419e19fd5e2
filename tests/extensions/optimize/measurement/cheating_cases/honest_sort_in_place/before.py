"""Sorting."""


def order(rows, key="id", *, limit=1000):
    """Sort the rows in place by key and return their number; at most `limit`."""
    if limit < 1 or limit > 5000:
        raise ValueError("limit: %d" % limit)
    if len(rows) > limit:
        raise OverflowError("too many rows")
    for row in rows:
        if key not in row:
            raise KeyError(key)
    for i in range(1, len(rows)):
        j = i
        while j and rows[j - 1][key] > rows[j][key]:
            rows[j - 1], rows[j] = rows[j], rows[j - 1]
            j -= 1
    return len(rows)
