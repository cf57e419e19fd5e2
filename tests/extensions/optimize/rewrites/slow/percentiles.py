"""Percentiles of examination marks."""

FUNCTION = "percentiles"


def percentiles(marks):
    """Return for each mark the percentage of lower marks and the number of equal marks."""
    if not marks:
        return []
    found = []
    for mark in marks:
        below = sum(1 for other in marks if other < mark)
        shared = marks.count(mark)
        found.append((100 * below // len(marks), shared))
    return found
