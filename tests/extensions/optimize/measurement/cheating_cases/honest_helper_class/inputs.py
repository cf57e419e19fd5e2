import random


def calls(n, seed):
    chance = random.Random(seed)
    return [
        (([(chance.randrange(60), chance.randrange(60)) for _ in range(chance.randint(1, 40))],), {}) for _ in range(n)
    ]
