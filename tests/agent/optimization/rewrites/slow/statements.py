"""Statements of account, from bookings that only know the customer's number."""

FUNCTION = "statements"


def statements(customers, bookings):
    """(name, bookings, balance) of each customer that is active."""
    lines = []
    for customer in customers:
        if not customer["active"]:
            continue
        own = [booking for booking in bookings if booking["customer"] == customer["id"]]
        balance = 0
        for booking in own:
            balance += booking["cents"]
        lines.append((customer["name"], len(own), balance))
    return lines
