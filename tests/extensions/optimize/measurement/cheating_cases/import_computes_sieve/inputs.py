import random


def calls(n, seed):
    chance = random.Random(seed)
    return [((chance.randint(50, 3000),), {}) for _ in range(n)]
