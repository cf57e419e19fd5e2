import random


def calls(n, seed):
    chance = random.Random(seed)
    word = lambda: "".join(chance.choice("abc") for _ in range(chance.randint(2, 8)))
    return [((word(), word()), {}) for _ in range(n)]
