import random

SIZE = 200


def calls(n, seed):
    chance = random.Random(seed)
    customers = [{"id": i, "name": f"c{i}", "active": chance.random() < 0.9} for i in range(n)]
    bookings = (
        [{"customer": chance.randrange(n), "cents": chance.randrange(-500, 500)} for _ in range(2 * n)] if n else []
    )
    return [((customers, bookings), {}), ((customers, []), {}), (([], bookings), {})]
