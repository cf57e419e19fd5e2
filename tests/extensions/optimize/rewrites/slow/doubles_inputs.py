import random

SIZE = 200


def calls(n, seed):
    chance = random.Random(seed)
    people = [(i, chance.choice(["p", "P"]) + f"{chance.randrange(n)}@example.org") for i in range(n)]
    return [((people,), {}), (([],), {}), (([(1, "a"), (2, "A"), (3, "a")],), {})]
