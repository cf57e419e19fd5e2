"""Invoices with value added tax, discounts and rounding."""

from .invoice import Invoice
from .lines import Line
from .rates import Rate, RateTable, UnknownRate, swiss_rates
from .render import render

__all__ = ["Invoice", "Line", "Rate", "RateTable", "UnknownRate", "render", "swiss_rates"]
