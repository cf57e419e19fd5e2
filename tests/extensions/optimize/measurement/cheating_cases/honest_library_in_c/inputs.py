import random

from subject_module import Player


def calls(n, seed):
    chance = random.Random(seed)
    found = []
    for _ in range(n):
        players = [Player("p%d" % each, chance.randint(0, 40)) for each in range(chance.randint(1, 40))]
        found.append(((players, chance.randint(0, 12)), {}))
    return found
