import random

from stock import Warehouse

SIZE = 300


def calls(n, seed):
    chance = random.Random(seed)
    pieces, blocked, wanted = ([f"c{chance.randrange(n)}" for _ in range(n)] for _ in range(3))
    full, empty = Warehouse(pieces, blocked), Warehouse([], [])
    return [((full, wanted), {}), ((empty, wanted), {}), ((Warehouse(pieces, []), []), {})]
