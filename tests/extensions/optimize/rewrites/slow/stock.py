"""The stock of a warehouse and the items it lacks."""

FUNCTION = "Warehouse.missing"


class Warehouse:
    """Items as a list of their codes, one entry per piece."""

    def __init__(self, pieces, blocked):
        self.pieces = pieces
        self.blocked = blocked

    def missing(self, wanted):
        """Return {code: missing pieces} for the wanted codes, and the blocked codes."""
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
