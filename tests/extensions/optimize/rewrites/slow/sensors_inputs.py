import random

SIZE = 400


def calls(n, seed):
    chance = random.Random(seed)
    readings = [chance.randrange(-50, 50) for _ in range(n)]
    return [((readings, n // 3), {}), (([], 3), {}), ((readings, 1), {})]
