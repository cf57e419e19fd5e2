"""Items that a shop must order."""


def missing(wanted, *, stock=(), ignored=()):
    """The wanted names that are neither in stock nor ignored, each once, in order."""
    names = []
    for name in wanted:
        if name not in stock and name not in ignored and name not in names:
            names.append(name)
    return names
