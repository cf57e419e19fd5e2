"""Amounts of money: rounding and printing."""

from decimal import ROUND_HALF_UP, Decimal

CENTIME = Decimal("0.01")
FIVE_CENTIMES = Decimal("0.05")


def to_centimes(amount):
    """Round to whole centimes, halves away from zero."""
    return amount.quantize(CENTIME, rounding=ROUND_HALF_UP)


def to_five_centimes(amount):
    """Round to five centimes, the smallest coin there is."""
    coins = (amount / FIVE_CENTIMES).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    return to_centimes(coins * FIVE_CENTIMES)


def percent_of(amount, percent):
    """``percent`` per cent of an amount, rounded to whole centimes."""
    return to_centimes(amount * percent / 100)


def show(amount):
    """An amount as it is printed: ``1'234.50``."""
    return "{:,.2f}".format(amount).replace(",", "'")
