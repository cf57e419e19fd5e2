"""Ways to pay an amount."""

COINS = (1, 2, 5, 10, 20, 50)


def ways(amount):
    """The number of ways to pay `amount` with these coins; raises ValueError below zero."""
    if amount < 0:
        raise ValueError("an amount is not negative: %d" % amount)
    found = [1] + [0] * amount
    for coin in COINS:
        for total in range(coin, amount + 1):
            found[total] += found[total - coin]
    return found[amount]
