"""Puts pages together: header, rows, and the sum carried from page to page."""

from decimal import Decimal

from .layout import Layout
from .paging import paginate
from .reader import number

FORM_FEED = "\f"


def _page_sum(page, index):
    return sum((number(row[index]) or Decimal(0) for row in page.rows), Decimal(0))


def _print_page(page, table, layout, carried):
    lines = [layout.line(table.names), layout.rule()]
    lines += [layout.line(row) for row in page.rows]
    if carried is not None:
        lines.append(layout.rule())
        label = "sum" if page.is_last else "carried forward"
        lines.append("{}: {}".format(label, carried))
    lines.append("page {} of {}".format(page.number, page.count).rjust(layout.width))
    return "\n".join(lines) + "\n"


def report(table, summed=None, page_size=40):
    """The whole report as text, with a form feed between pages.

    ``summed`` names the column to add up. Raises BadTable if there is no such column.
    """
    index = None if summed is None else table.index(summed)
    layout = Layout(table)
    carried = None if index is None else Decimal(0)
    printed = []
    for page in paginate(table.rows, page_size):
        if index is not None:
            carried += _page_sum(page, index)
        printed.append(_print_page(page, table, layout, carried))
    return FORM_FEED.join(printed)
