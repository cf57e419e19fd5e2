import random

from subject_module import Report


def calls(n, seed):
    chance = random.Random(seed)
    names = ["rent", "food", "books", "travel"]
    entry = lambda: (chance.choice(names), chance.randint(1, 12), chance.randint(1, 900))
    return [((Report([entry() for _ in range(chance.randint(5, 60))]),), {}) for _ in range(n)]
