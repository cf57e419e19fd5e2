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
            if isinstance(count, bool) or not isinstance(count, int) or count < 0:
                raise ValueError("a count is a natural number")
            sums = {}
            for other in found:
                sums[other] = found[other]
            sums[customer] = sums.get(customer, 0) + price * count
            found = sums
    return found
