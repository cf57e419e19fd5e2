"""Products of matrices held as lists of rows."""


def multiply(left, right):
    """The product; raises ValueError if the shapes do not match."""
    columns = list(zip(*right))
    return [[sum(a * b for a, b in zip(row, column)) for column in columns] for row in left]
