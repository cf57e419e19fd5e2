import random


def calls(n, seed):
    chance = random.Random(seed)
    found = []
    for _ in range(n):
        amounts = [chance.randint(-50, 50) for _ in range(chance.randint(3, 60))]
        ranges = [tuple(sorted((chance.randint(0, len(amounts)), chance.randint(0, len(amounts))))) for _ in range(12)]
        found.append(((amounts, ranges), {}))
    return found
