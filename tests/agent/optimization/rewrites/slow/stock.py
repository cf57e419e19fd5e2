"""A warehouse and what it can still deliver."""

FUNCTION = "Warehouse.missing"


class Warehouse:
    """Items as a list of their codes, one entry for each piece."""

    def __init__(self, pieces, blocked):
        self.pieces = pieces
        self.blocked = blocked

    def missing(self, wanted):
        """{code: pieces that lack} for what is wanted, and the codes that are blocked."""
        lacking = {}
        refused = []
        for code in wanted:
            if code in self.blocked:
                refused.append(code)
                continue
            have = self.pieces.count(code)
            need = wanted.count(code)
            if need > have:
                lacking[code] = need - have
        return lacking, refused
