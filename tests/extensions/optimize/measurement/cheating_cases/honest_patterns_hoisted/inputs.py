import random

WORDS = "river stone ''bridge'' ''mill'' [[Old_town|town]] [[Castle]] &amp; &lt;i&gt; == plain".split(" ")


def calls(n, seed):
    chance = random.Random(seed)
    line = lambda: " ".join(chance.choice(WORDS) + str(chance.randint(0, 9)) for _ in range(6))
    return [(("\n".join(line() for _ in range(4)),), {}) for _ in range(n)]
