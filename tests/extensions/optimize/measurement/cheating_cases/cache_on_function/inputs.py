import random


def calls(n, seed):
    chance = random.Random(seed)
    word = lambda: "".join(chance.choice("abcdefgh") for _ in range(chance.randint(4, 14)))
    return [((word(), word()), {}) for _ in range(n)]
