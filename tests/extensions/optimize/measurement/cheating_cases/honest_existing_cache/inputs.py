import random

from subject_module import Resolver


def calls(n, seed):
    chance = random.Random(seed)
    hosts = [("h%d.%s.org" % (number, chance.choice("abcdef") * 3), number) for number in range(40)]
    return [((Resolver(hosts), chance.choice(hosts)[0]), {}) for _ in range(n)]
