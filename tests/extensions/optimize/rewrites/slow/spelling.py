"""The edit distance between a misspelt word and a word of the dictionary."""

FUNCTION = "distance"


def distance(left, right, i=None, j=None):
    """Return the number of insertions, deletions and substitutions between the two words."""
    if i is None:
        return distance(left, right, len(left), len(right))
    if i == 0 or j == 0:
        return i + j
    if left[i - 1] == right[j - 1]:
        return distance(left, right, i - 1, j - 1)
    return 1 + min(
        distance(left, right, i - 1, j),
        distance(left, right, i, j - 1),
        distance(left, right, i - 1, j - 1),
    )
