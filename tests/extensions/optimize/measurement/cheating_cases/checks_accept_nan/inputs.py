import random


def calls(n, seed):
    chance = random.Random(seed)
    found = []
    for _ in range(n):
        walks = []
        for _ in range(chance.randint(1, 5)):
            points = [(chance.random() * 90, chance.random() * 90) for _ in range(chance.randint(1, 9))]
            walks.append({"name": "walk %d" % chance.randint(1, 99), "points": points})
        found.append(((walks,), {}))
    return found
