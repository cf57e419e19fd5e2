import random


def calls(n, seed):
    chance = random.Random(seed)
    lists = [[chance.randint(-20, 20) for _ in range(chance.randint(2, 30))] for _ in range(n)]
    return [((numbers, chance.randint(-5, 5)), {}) for numbers in lists]
