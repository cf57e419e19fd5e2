"""Joins two tables on a key."""


def join(people, orders):
    """A list of {**person, **order} for each order of a person, in the order of `people`."""
    rows = []
    for person in people:
        for order in orders:
            if order["person"] == person["id"]:
                row = dict(person)
                row.update(order)
                rows.append(row)
    return rows
