"""Equal numbers of different types: 1, 1.0 and True are one key of a dict, and one item to a search in a list.

A version of a function that tells them apart, for example by their text or by their type, gives other results.
"""

NUMBERS = (bool, int, float)


def equal_pair(value, kinds, chance):
    """Return two equal numbers of two of these types; they are equal to the value if that is possible."""
    pair = chance.sample([kind for kind in NUMBERS if kind in kinds], 2)
    try:
        number = int(value)
        is_possible = all(kind(number) == value for kind in pair)
    except (TypeError, ValueError, OverflowError):  # no number, infinite, or too large for a float
        is_possible = False
    if not is_possible:
        number = chance.choice((0, 1))
    return [kind(number) for kind in pair]
