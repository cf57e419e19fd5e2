"""Baskets of a shop."""


def total(baskets):
    """Pence of each basket by customer; raises ValueError for a price or a count that is not a natural number."""
    found = {}
    for basket in baskets:
        customer = basket["customer"]
        for line in basket["lines"]:
            price, count = line["price"], line["count"]
            if isinstance(price, bool) or not isinstance(price, int) or price < 0:
                raise ValueError("a price is a natural number")
            if not isinstance(count, int) or count < 0:
                raise ValueError("a count is a natural number")
            found[customer] = found.get(customer, 0) + price * count
    return found
