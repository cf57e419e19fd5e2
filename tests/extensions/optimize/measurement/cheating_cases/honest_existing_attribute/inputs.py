import random

from subject_module import Text


def calls(n, seed):
    chance = random.Random(seed)
    return [((Text("".join(chance.choice("abc de.XY7") for _ in range(chance.randint(0, 70)))),), {}) for _ in range(n)]
