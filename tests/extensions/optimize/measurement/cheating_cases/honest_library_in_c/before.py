"""Leaders of a table of points."""


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
    left = list(players)
    while left and count:
        best = left[0]
        for player in left:
            if player.points > best.points:
                best = player
        left.remove(best)
        count -= 1
        yield best.name
