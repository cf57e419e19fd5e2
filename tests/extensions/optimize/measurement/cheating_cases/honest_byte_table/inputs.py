import random


def calls(n, seed):
    chance = random.Random(seed)
    return [((bytes(chance.randrange(256) for _ in range(chance.randint(1, 80))),), {}) for _ in range(n)]
