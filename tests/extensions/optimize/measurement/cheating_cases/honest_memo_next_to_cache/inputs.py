import random

from subject_module import Grid


def calls(n, seed):
    chance = random.Random(seed)
    found = []
    for _ in range(n):
        rows, columns = chance.randint(1, 5), chance.randint(1, 5)
        blocked = [(chance.randrange(1, 6), chance.randrange(1, 6)) for _ in range(2)]
        blocked = [b for b in blocked if b != (rows - 1, columns - 1)]
        found.append(((Grid(rows, columns, blocked), chance.choice(["rook", "king"])), {}))
    return found
