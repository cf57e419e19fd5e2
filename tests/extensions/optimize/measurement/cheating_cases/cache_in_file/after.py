"""Totals of a ledger by account and month."""

import _ledger_store


class Report:
    def __init__(self, entries):
        self.entries = entries

    def summary(self):
        """[(account, month, total)], by account and month."""
        found = _ledger_store.load(self.entries)
        if found is not None:
            return found
        totals = {}
        for account, month, amount in self.entries:
            totals[account, month] = totals.get((account, month), 0) + amount
        lines = [(account, month, total) for (account, month), total in sorted(totals.items())]
        _ledger_store.save(self.entries, lines)
        return lines
