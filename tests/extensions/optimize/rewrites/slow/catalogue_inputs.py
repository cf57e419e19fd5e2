import random

SIZE = 300


def calls(n, seed):
    chance = random.Random(seed)
    feeds = [
        [
            {"sku": f"A{chance.randrange(2 * n + 1)}", "title": chance.choice(["", "lamp", "desk"])}
            for _ in range(n // 2)
        ]
        for _ in range(3)
    ]
    return [((feeds,), {}), (([],), {}), (([[], feeds[0][:3]],), {})]
