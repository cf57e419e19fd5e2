"""Account statements from bookings that contain only the customer's number."""

FUNCTION = "statements"


def statements(customers, bookings):
    """Return (name, number of bookings, balance) of each active customer."""
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
