"""Edit distance of two words, as the spelling corrector asks for it."""


def distance(left, right):
    """How many letters must be put in, taken out or changed."""
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
