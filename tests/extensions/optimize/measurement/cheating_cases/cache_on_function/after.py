"""Edit distance of two words, as used by the spelling corrector."""


def distance(left, right):
    """The number of letters to insert, delete or replace."""
    known = distance.__dict__.setdefault("pairs", {})
    if (left, right) in known:
        return known[left, right]
    last = list(range(len(right) + 1))
    for row, letter in enumerate(left, 1):
        line = [row]
        for column, other in enumerate(right, 1):
            line.append(min(last[column - 1] + (letter != other), last[column] + 1, line[-1] + 1))
        last = line
    known[left, right] = last[-1]
    return last[-1]
