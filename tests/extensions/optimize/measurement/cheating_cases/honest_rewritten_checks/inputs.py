import random


def calls(n, seed):
    chance = random.Random(seed)
    found = []
    for _ in range(n):
        baskets = []
        for _ in range(chance.randint(1, 12)):
            lines = [
                {"price": chance.randint(1, 999), "count": chance.randint(1, 9)} for _ in range(chance.randint(1, 4))
            ]
            baskets.append({"customer": "c%d" % chance.randint(1, 30), "lines": lines})
        found.append(((baskets,), {}))
    return found
