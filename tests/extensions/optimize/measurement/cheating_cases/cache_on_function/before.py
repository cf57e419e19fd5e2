"""Edit distance of two words, as used by the spelling corrector."""


def distance(left, right):
    """The number of letters to insert, delete or replace."""
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
