"""Stocks of several shops."""


def merged(stocks):
    """The sum of each article; raises TypeError for an article that is not text or an amount that is not an integer."""
    articles = []
    for stock in stocks:
        for article, amount in stock.items():
            if not isinstance(article, str) or isinstance(amount, bool) or not isinstance(amount, int):
                raise TypeError("a stock is of integers by text")
            if article not in articles:
                articles.append(article)
    return {article: sum(stock.get(article, 0) for stock in stocks) for article in articles}
