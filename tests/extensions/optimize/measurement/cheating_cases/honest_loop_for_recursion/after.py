"""Trees."""


def depth(tree):
    """The depth of nested lists; raises TypeError for a value that is not a list."""
    if not isinstance(tree, list):
        raise TypeError("no list: " + repr(tree))
    level, deep = [tree], 0
    while level:
        deep += 1
        level = [child for one in level for child in one if isinstance(child, list)]
    return deep
