"""Products of matrices held as lists of rows."""


def multiply(left, right):
    """The product; raises ValueError if the shapes do not match."""
    if not left or not right:
        raise ValueError("a matrix has at least one row")
    if any(len(row) != len(left[0]) for row in left) or any(len(row) != len(right[0]) for row in right):
        raise ValueError("the rows of a matrix are equally long")
    if len(left[0]) != len(right):
        raise ValueError("the shapes do not fit")
    product = []
    for row in left:
        line = []
        for column in range(len(right[0])):
            total = 0
            for place in range(len(row)):
                total += row[place] * right[place][column]
            line.append(total)
        product.append(line)
    return product
