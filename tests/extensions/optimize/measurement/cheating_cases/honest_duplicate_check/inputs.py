import random


def calls(n, seed):
    chance = random.Random(seed)
    found = []
    for _ in range(n):
        settings = {"key%d" % each: chance.randint(0, 99) for each in range(chance.randint(2, 40))}
        found.append(((settings, [chance.choice(list(settings)) for _ in range(chance.randint(1, 20))]), {}))
    return found
