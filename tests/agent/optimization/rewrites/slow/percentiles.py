"""Marks of an examination on a scale of percentiles."""

FUNCTION = "percentiles"


def percentiles(marks):
    """For each mark how many per cent of all marks lie below it, and how many share it."""
    if not marks:
        return []
    found = []
    for mark in marks:
        below = sum(1 for other in marks if other < mark)
        shared = marks.count(mark)
        found.append((100 * below // len(marks), shared))
    return found
