import random

SIZE = 300


def calls(n, seed):
    chance = random.Random(seed)
    jobs = [(chance.randrange(n), f"j{i}") for i in range(n)]
    followers = {f"j{i}": [f"j{chance.randrange(2 * n)}"] for i in range(n)}
    return [((jobs, followers), {}), (([], {}), {}), ((jobs[:3], {}), {})]
