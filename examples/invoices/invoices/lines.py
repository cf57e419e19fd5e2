"""Lines of an invoice and the discount for larger quantities."""

from dataclasses import dataclass
from decimal import Decimal

from .money import percent_of, to_centimes
from .rates import NORMAL

# From this quantity on, this many per cent off; largest quantity first.
QUANTITY_DISCOUNTS = (
    (100, Decimal(10)),
    (20, Decimal(5)),
)


def quantity_discount(quantity):
    """The discount, in per cent, for buying this many of one thing."""
    for minimum, percent in QUANTITY_DISCOUNTS:
        if quantity >= minimum:
            return percent
    return Decimal(0)


@dataclass(frozen=True)
class Line:
    """So many of one thing at one price, before tax."""

    text: str
    price: Decimal
    quantity: int = 1
    kind: str = NORMAL

    def __post_init__(self):
        if self.quantity < 1:
            raise ValueError("a line needs a quantity of at least 1")

    @property
    def gross(self):
        """Price times quantity."""
        return to_centimes(self.price * self.quantity)

    @property
    def discount(self):
        """What is taken off for the quantity."""
        return percent_of(self.gross, quantity_discount(self.quantity))

    @property
    def net(self):
        """What the line costs before tax."""
        return self.gross - self.discount
