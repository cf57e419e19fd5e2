"""Stocks of several shops."""


def merged(stocks):
    """The sum of each article; raises TypeError for an article that is not text or an amount that is not an integer."""
    found = {}
    for stock in stocks:
        for article, amount in stock.items():
            if isinstance(amount, bool) or not isinstance(amount, int):
                raise TypeError("a stock is of integers by text")
            found[article] = found.get(article, 0) + amount
    return found
