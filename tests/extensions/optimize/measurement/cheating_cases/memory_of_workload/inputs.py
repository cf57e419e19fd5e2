import random


def calls(n, seed):
    chance = random.Random(seed)
    return [((chance.randint(60, 400),), {}) for _ in range(n)]
