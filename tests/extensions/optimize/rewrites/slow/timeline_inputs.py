import random

SIZE = 400


def calls(n, seed):
    chance = random.Random(seed)
    events = [{"author": f"A{chance.randrange(n)}", "text": "x", "kind": f"k{chance.randrange(n)}"} for _ in range(n)]
    hidden = [f" a{chance.randrange(2 * n)}" for _ in range(n)] if n else []
    return [((events, hidden), {}), ((events,), {}), (([],), {})]
