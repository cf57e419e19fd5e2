import random


def calls(n, seed):
    chance = random.Random(seed)
    names = lambda most: ["item%d" % chance.randrange(60) for _ in range(chance.randint(0, most))]
    return [((names(50), names(40)), {}) for _ in range(n)]
