import random

SIZE = 200


def calls(n, seed):
    chance = random.Random(seed)
    return [(([(f"d{i}", chance.randrange(n)) for i in range(n)],), {}), (([],), {}), (([("a", 0)],), {})]
