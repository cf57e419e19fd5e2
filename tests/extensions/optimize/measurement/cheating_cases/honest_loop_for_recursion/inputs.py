import random


def calls(n, seed):
    chance = random.Random(seed)

    def tree(d):
        return [
            tree(d - 1) if d and chance.random() < 0.6 else chance.randint(0, 9) for _ in range(chance.randint(0, 4))
        ]

    return [((tree(5),), {}) for _ in range(n)]
