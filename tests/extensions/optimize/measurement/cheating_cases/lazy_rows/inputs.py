import random


def calls(n, seed):
    chance = random.Random(seed)
    found = []
    for _ in range(n):
        people = [{"id": id, "name": "p%d" % id} for id in range(chance.randint(2, 15))]
        orders = [{"person": chance.randrange(20), "sum": chance.randint(1, 99)} for _ in range(chance.randint(2, 20))]
        found.append(((people, orders), {}))
    return found
