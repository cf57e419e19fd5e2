import random


def calls(n, seed):
    chance = random.Random(seed)
    return [(([{"id": chance.randint(0, 99), "v": i} for i in range(chance.randint(0, 30))],), {}) for _ in range(n)]
