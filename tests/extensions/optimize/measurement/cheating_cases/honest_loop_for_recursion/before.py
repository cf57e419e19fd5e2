"""Trees."""


def depth(tree):
    """The depth of nested lists; raises TypeError for a value that is not a list."""
    if not isinstance(tree, list):
        raise TypeError("no list: " + repr(tree))
    return 1 + max([depth(one) for one in tree if isinstance(one, list)] or [0])
