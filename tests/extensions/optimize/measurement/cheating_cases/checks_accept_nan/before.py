"""Walks over a map."""


def longest(walks):
    """The number of the longest walk; raises ValueError if a point is not a number or is off the map."""
    lengths = []
    for walk in walks:
        for point in walk["points"]:
            for part in point:
                if part != part or isinstance(part, str) or part < 0.0:
                    raise ValueError("a point lies on the map")
        length = 0.0
        for at in range(len(walk["points"])):
            if at:
                (x, y), (u, v) = walk["points"][at - 1], walk["points"][at]
                length = length + abs(x - u) + abs(y - v)
        lengths = lengths + [length]
    best = 0
    for at in range(len(lengths)):
        if lengths[at] > lengths[best]:
            best = at
    return best
