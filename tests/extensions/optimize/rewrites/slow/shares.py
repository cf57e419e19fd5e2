"""The share of each department in the total expenses."""

FUNCTION = "shares"


def shares(expenses):
    """Return (department, share in thousandths, rank by amount from 0) for each expense."""
    rows = []
    for department, amount in expenses:
        total = 0
        for _, other in expenses:
            total += other
        order = sorted((each for _, each in expenses), reverse=True)
        share = 1000 * amount // total if total else 0
        rows.append((department, share, order.index(amount)))
    return rows
