"""Duplicate entries of people."""

# ruff: noqa: PERF401

FUNCTION = "doubles"


def doubles(people):
    """Return pairs of entry numbers, the lower first, with the same mail address, ignoring case."""
    found = []
    for i in range(len(people)):
        for j in range(i + 1, len(people)):
            if people[i][1].lower() == people[j][1].lower():
                found.append((people[i][0], people[j][0]))
    return found
