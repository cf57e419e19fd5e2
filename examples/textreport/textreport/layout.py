"""Sets cells side by side in columns."""

GAP = "  "
LONGEST = 30
ELLIPSIS = "..."


def shorten(text, width):
    """The text, cut with an ellipsis if it is wider than ``width``."""
    if len(text) <= width:
        return text
    return text[: width - len(ELLIPSIS)] + ELLIPSIS


class Layout:
    """Widths and sides of the columns of a table; the same on every page."""

    def __init__(self, table):
        columns = range(len(table.names))
        self.right = [table.is_numeric(index) for index in columns]
        self.widths = [min(LONGEST, max(len(row[index]) for row in (table.names,) + table.rows)) for index in columns]

    @property
    def width(self):
        """The width of a whole line."""
        return sum(self.widths) + len(GAP) * (len(self.widths) - 1)

    def line(self, cells):
        """One row as a line of text."""
        padded = []
        for cell, width, right in zip(cells, self.widths, self.right):
            text = shorten(cell, width)
            padded.append(text.rjust(width) if right else text.ljust(width))
        return GAP.join(padded).rstrip()

    def rule(self):
        """A line of dashes under the header."""
        return GAP.join("-" * width for width in self.widths)
