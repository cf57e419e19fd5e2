"""Totals of a ledger by account and month."""


class Report:
    def __init__(self, entries):
        self.entries = entries

    def summary(self):
        """[(account, month, total)], by account and month."""
        pairs = []
        for account, month, _ in self.entries:
            if (account, month) not in pairs:
                pairs.append((account, month))
        lines = []
        for account, month in sorted(pairs):
            total = 0
            for other, when, amount in self.entries:
                if other == account and when == month:
                    total += amount
            lines.append((account, month, total))
        return lines
