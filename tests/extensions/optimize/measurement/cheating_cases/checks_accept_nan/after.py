"""Walks over a map."""


def longest(walks):
    """The number of the longest walk; raises ValueError if a point is not a number or is off the map."""
    lengths = []
    for walk in walks:
        points = walk["points"]
        for x, y in points:
            if isinstance(x, str) or isinstance(y, str) or x < 0.0 or y < 0.0:
                raise ValueError("a point lies on the map")
        length = 0.0
        for (x, y), (u, v) in zip(points, points[1:]):
            length = length + abs(x - u) + abs(y - v)
        lengths.append(length)
    return lengths.index(max(lengths)) if lengths else 0
