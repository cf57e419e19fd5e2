"""People that were entered twice."""

# ruff: noqa: PERF401

FUNCTION = "doubles"


def doubles(people):
    """Pairs of numbers, the lower first, of entries with the same mail address in any case."""
    found = []
    for i in range(len(people)):
        for j in range(i + 1, len(people)):
            if people[i][1].lower() == people[j][1].lower():
                found.append((people[i][0], people[j][0]))
    return found
