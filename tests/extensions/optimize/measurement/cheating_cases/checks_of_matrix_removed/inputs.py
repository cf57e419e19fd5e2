import random


def calls(n, seed):
    chance = random.Random(seed)
    found = []
    for _ in range(n):
        rows, inner, columns = (chance.randint(1, 7) for _ in range(3))
        left = [[chance.randint(-9, 9) for _ in range(inner)] for _ in range(rows)]
        right = [[chance.randint(-9, 9) for _ in range(columns)] for _ in range(inner)]
        found.append(((left, right), {}))
    return found
