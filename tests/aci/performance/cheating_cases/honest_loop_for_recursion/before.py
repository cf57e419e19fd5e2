"""Trees."""


def depth(tree):
    """How deep nested lists are; raises TypeError for what is no list."""
    if not isinstance(tree, list):
        raise TypeError("no list: " + repr(tree))
    return 1 + max([depth(one) for one in tree if isinstance(one, list)] or [0])
