"""Cuts rows into pages."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """The rows of one page; pages are counted from 1."""

    number: int
    count: int
    rows: tuple

    @property
    def is_last(self):
        """Whether no page follows."""
        return self.number == self.count


def paginate(rows, size):
    """Pages of ``size`` rows, the last one with what is left; no rows give one page without any.

    Raises ValueError if ``size`` is not positive.
    """
    if size < 1:
        raise ValueError("a page needs at least one row")
    if not rows:
        return [Page(1, 1, ())]
    starts = range(0, len(rows) - 1, size)
    return [Page(number, len(starts), tuple(rows[start : start + size])) for number, start in enumerate(starts, 1)]
