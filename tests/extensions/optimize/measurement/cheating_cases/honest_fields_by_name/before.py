"""Rows of a table of measurements."""


class Row:
    def __init__(self, **fields):
        self.__dict__.update(fields)


def chosen(rows, kind, numbers):
    """The fields `KIND_NUMBER` of each row, with None for missing ones; rows are sorted by their text."""
    found = []
    for row in rows:
        line = []
        for number in numbers:
            line = line + [getattr(row, kind + "_" + str(number), None)]
        found = found + [line]
    result = []
    while found:
        best = found[0]
        for line in found:
            if str(line) < str(best):
                best = line
        found.remove(best)
        result.append(best)
    return result
