"""Products of matrices held as lists of rows."""


def multiply(left, right):
    """The product; raises ValueError where the shapes do not fit."""
    columns = list(zip(*right))
    return [[sum(a * b for a, b in zip(row, column)) for column in columns] for row in left]
