"""Groups of connected things."""

from collections import defaultdict


class _Forest:
    def __init__(self):
        self.parent = {}
        self.finds = 0

    def find(self, one):
        self.finds += 1
        parent = self.parent.setdefault(one, one)
        while parent != self.parent[parent]:
            self.parent[parent] = parent = self.parent[self.parent[parent]]
        self.parent[one] = parent
        return parent

    def join(self, a, b):
        self.parent[self.find(a)] = self.find(b)


def groups(pairs):
    """The connected groups, each sorted, by their least member."""
    forest = _Forest()
    for a, b in pairs:
        forest.join(a, b)
    found = defaultdict(list)
    for one in forest.parent:
        found[forest.find(one)].append(one)
    return sorted(sorted(group) for group in found.values())
