import random


def calls(n, seed):
    chance = random.Random(seed)
    stock = lambda: {"art%d" % chance.randint(1, 40): chance.randint(0, 500) for _ in range(chance.randint(1, 12))}
    return [(([stock() for _ in range(chance.randint(1, 6))],), {}) for _ in range(n)]
