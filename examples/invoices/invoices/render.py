"""An invoice as plain text."""

from .money import show

WIDTH = 56


def _row(text, amount):
    room = WIDTH - len(amount)
    return text[: room - 1].ljust(room) + amount


def _label(line):
    if line.quantity == 1:
        return line.text
    return "{} x {}".format(line.quantity, line.text)


def render(invoice):
    """The invoice as text, one line each for goods, discounts, taxes and the total."""
    rows = [
        "Invoice {}".format(invoice.number),
        "Delivered {:%d.%m.%Y}".format(invoice.delivered),
        "-" * WIDTH,
    ]
    for line in invoice.lines:
        rows.append(_row(_label(line), show(line.gross)))
        if line.discount:
            rows.append(_row("  discount", show(-line.discount)))
    rows.append("-" * WIDTH)
    rows.append(_row("Subtotal", show(invoice.subtotal())))
    for rate, tax in invoice.taxes():
        rows.append(_row("VAT {} %".format(rate.percent), show(tax)))
    rows.append(_row("Total CHF", show(invoice.total())))
    return "\n".join(rows) + "\n"
