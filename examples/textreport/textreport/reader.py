"""Reads CSV text into a table."""

import csv
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation


class BadTable(ValueError):
    """The text is not a table: no header, or a row with too few or too many cells."""


def number(cell):
    """The cell as a number, or None if it is not one."""
    try:
        value = Decimal(cell.strip())
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


@dataclass(frozen=True)
class Table:
    """Column names and rows of cells; all cells are text."""

    names: tuple
    rows: tuple

    def index(self, name):
        """The place of a column. Raises BadTable if there is none of that name."""
        if name not in self.names:
            raise BadTable("no column {!r}; there are {}".format(name, ", ".join(self.names)))
        return self.names.index(name)

    def is_numeric(self, index):
        """Whether all cells of a column that are not empty are numbers, and there is one."""
        cells = [row[index] for row in self.rows if row[index].strip()]
        return bool(cells) and all(number(cell) is not None for cell in cells)


def read(lines):
    """A table from lines of CSV; the first names the columns, empty lines do not count.

    Raises BadTable.
    """
    records = [record for record in csv.reader(lines) if record]
    if not records:
        raise BadTable("no header")
    names, rows = records[0], records[1:]
    for count, row in enumerate(rows, 1):
        if len(row) != len(names):
            raise BadTable("row {} has {} cells, the header has {}".format(count, len(row), len(names)))
    return Table(tuple(names), tuple(tuple(row) for row in rows))
