"""Paged text reports with sums from CSV files."""

from .paging import Page, paginate
from .reader import Table, read
from .report import report

__all__ = ["Page", "Table", "paginate", "read", "report"]
