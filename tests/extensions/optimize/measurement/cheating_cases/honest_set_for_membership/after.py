"""Items that a shop must order."""


def missing(wanted, *, stock=(), ignored=()):
    """The wanted names that are neither in stock nor ignored, each once, in order."""
    have = set(stock).union(ignored)
    return [name for name in dict.fromkeys(wanted) if name not in have]
