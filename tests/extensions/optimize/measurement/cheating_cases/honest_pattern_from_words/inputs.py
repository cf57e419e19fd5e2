import random


def calls(n, seed):
    chance = random.Random(seed)
    word = lambda: "".join(chance.choice("abcde") for _ in range(chance.randint(1, 5)))
    return [
        ((" ".join(word() for _ in range(chance.randint(5, 40))), [word() for _ in range(chance.randint(1, 6))]), {})
        for _ in range(n)
    ]
