import random

from links import Site

SIZE = 300


def calls(n, seed):
    chance = random.Random(seed)
    links = {f"/p{i}": [f"/p{chance.randrange(n)}" for _ in range(3)] + [f"/p{i + 1}"] for i in range(n)}
    return [((Site(links), "/p0"), {}), ((Site({}), "/"), {}), ((Site({"/": ["/", "/a"]}), "/"), {})]
