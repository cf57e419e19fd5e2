"""How far a misspelt word is from one in the dictionary."""

FUNCTION = "distance"


def distance(left, right, i=None, j=None):
    """Insertions, deletions and substitutions between the two words."""
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
