"""Groups of connected things."""


def groups(pairs):
    """The connected groups, each sorted, by their least member."""
    found = []
    for a, b in pairs:
        touching = [group for group in found if a in group or b in group]
        merged = {a, b}
        for group in touching:
            merged |= group
            found.remove(group)
        found.append(merged)
    return sorted(sorted(group) for group in found)
