import random

SIZE = 80


def calls(n, seed):
    chance = random.Random(seed)
    words = [f"word{i}" for i in range(n)]
    lines = [f"user word{chance.randrange(2 * n + 1)} said hello" for _ in range(n)]
    return [((lines, words), {}), ((lines, []), {}), (([], words), {}), ((["a.b A.B axb"], ["a.b"]), {})]
