import random


def calls(n, seed):
    chance = random.Random(seed)
    part = lambda: (
        "%d%s%s" % (chance.randint(0, 99), chance.choice(["", " "]), chance.choice(["s", "min", "hours", "m"]))
    )
    return [((" ".join(part() for _ in range(chance.randint(1, 8))),), {}) for _ in range(n)]
