"""A slow function that a set or a dict makes faster."""

SLOW = """\
def unique(items):
    seen = []
    for item in items:
        if item not in seen:
            seen.append(item)
    return seen
"""
