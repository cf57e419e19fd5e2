import random


def calls(n, seed):
    chance = random.Random(seed)
    return [(([chance.randint(0, 99) / 4 for _ in range(chance.randint(10, 80))],), {}) for _ in range(n)]
