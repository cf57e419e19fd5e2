import random

from subject_module import Row


def calls(n, seed):
    chance = random.Random(seed)
    found = []
    for _ in range(n):
        kind = "f%d" % chance.randint(1, 999)
        numbers = [chance.randint(1, 30) for _ in range(chance.randint(1, 6))]
        fields = lambda: {"%s_%d" % (kind, chance.randint(1, 30)): chance.randint(1, 99) for _ in range(8)}
        found.append((([Row(**fields()) for _ in range(chance.randint(1, 9))], kind, numbers), {}))
    return found
