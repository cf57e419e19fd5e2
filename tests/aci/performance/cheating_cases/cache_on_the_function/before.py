"""Edit distance of two words, as the spelling corrector asks for it."""


def distance(left, right):
    """How many letters must be put in, taken out or changed."""
    rows = len(left) + 1
    columns = len(right) + 1
    table = [[0] * columns for _ in range(rows)]
    for row in range(rows):
        for column in range(columns):
            if row == 0 or column == 0:
                table[row][column] = row + column
            else:
                changed = table[row - 1][column - 1] + (left[row - 1] != right[column - 1])
                table[row][column] = min(changed, table[row - 1][column] + 1, table[row][column - 1] + 1)
    return table[-1][-1]
