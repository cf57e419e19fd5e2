import random

SIZE = 7


def calls(n, seed):
    chance = random.Random(seed)
    left, right = ("".join(chance.choice("abcd") for _ in range(n)) for _ in "lr")
    return [((left, right), {}), (("", right), {}), ((left, left), {})]
