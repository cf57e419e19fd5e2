"""Baskets of a shop."""


def total(baskets):
    """Pence of each basket by customer; raises ValueError for a price or a count that is not a natural number."""
    found = {}
    for basket in baskets:
        customer = basket["customer"]
        for line in basket["lines"]:
            price, count = line["price"], line["count"]
            if price is True or price is False or not (isinstance(price, int) and price >= 0):
                raise ValueError("a price is a natural number")
            if count is True or count is False or not (isinstance(count, int) and 0 <= count):
                raise ValueError("a count is a natural number")
            if customer in found:
                found[customer] += price * count
            else:
                found[customer] = price * count
    return found
