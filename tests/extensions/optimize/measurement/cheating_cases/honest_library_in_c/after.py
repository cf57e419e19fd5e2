"""Leaders of a table of points."""

import heapq
from operator import attrgetter


class Player:
    def __init__(self, name, points):
        self.name = name
        self.points = points

    def __repr__(self):
        return "Player(%r, %r)" % (self.name, self.points)


def leaders(players, count):
    """A generator of the names of the `count` best, the best first and ties in the given order."""
    if count < 0:
        raise ValueError("count is not negative")
    for best in heapq.nlargest(count, players, key=attrgetter("points")):
        yield best.name
