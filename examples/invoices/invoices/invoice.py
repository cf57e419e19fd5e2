"""An invoice: its lines, the tax on them and the amount to pay."""

from decimal import Decimal

from .money import percent_of, to_five_centimes


class Invoice:
    """Collects lines; the day of delivery decides which tax rates count."""

    def __init__(self, number, delivered, rates):
        self.number = number
        self.delivered = delivered
        self.rates = rates
        self.lines = []

    def add(self, line):
        """Add a line. Raises UnknownRate if its kind of goods has no tax rate on the day of delivery."""
        self.rates.on(line.kind, self.delivered)
        self.lines.append(line)

    def subtotal(self):
        """The sum of all lines before tax."""
        return sum((line.net for line in self.lines), Decimal("0.00"))

    def taxes(self):
        """Pairs of rate and tax, highest rate first; lines without tax give no pair."""
        sums = {}
        for line in self.lines:
            rate = self.rates.on(line.kind, self.delivered)
            sums[rate] = sums.get(rate, Decimal(0)) + line.net
        taxed = [(rate, percent_of(net, rate.percent)) for rate, net in sums.items() if rate.percent]
        return sorted(taxed, key=lambda pair: pair[0].percent, reverse=True)

    def total(self):
        """The amount to pay, with tax, rounded to five centimes."""
        return to_five_centimes(self.subtotal() + sum(tax for _, tax in self.taxes()))
