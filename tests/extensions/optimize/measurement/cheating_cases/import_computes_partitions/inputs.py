import random


def calls(n, seed):
    chance = random.Random(seed)
    return [((chance.randint(40, 500),), {}) for _ in range(n)]
