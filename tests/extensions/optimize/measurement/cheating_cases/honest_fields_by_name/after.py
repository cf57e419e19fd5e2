"""Rows of a table of measurements."""


class Row:
    def __init__(self, **fields):
        self.__dict__.update(fields)


def chosen(rows, kind, numbers):
    """The fields `KIND_NUMBER` of each row, with None for missing ones; rows are sorted by their text."""
    names = [kind + "_" + str(number) for number in numbers]
    found = [[getattr(row, name, None) for name in names] for row in rows]
    found.sort(key=str)
    return found
