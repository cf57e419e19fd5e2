import random


def calls(n, seed):
    chance = random.Random(seed)
    words = ["Tea,", "tea", "cup", "spoon.", "milk", "sugar;", "Plate", "fork!"]
    line = lambda: " ".join(chance.choice(words) for _ in range(chance.randint(1, 9)))
    return [(([line() for _ in range(chance.randint(1, 20))],), {}) for _ in range(n)]
