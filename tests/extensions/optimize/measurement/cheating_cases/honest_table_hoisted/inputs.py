import random


def calls(n, seed):
    chance = random.Random(seed)
    return [((bytes(chance.randrange(256) for _ in range(chance.randint(0, 40))),), {}) for _ in range(n)]
