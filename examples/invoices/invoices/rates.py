"""Tax rates and the day each came into force."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

NORMAL = "normal"
REDUCED = "reduced"
LODGING = "lodging"
EXEMPT = "exempt"


class UnknownRate(LookupError):
    """There was no rate for this kind of goods on that day."""


@dataclass(frozen=True)
class Rate:
    """A tax rate for one kind of goods, in force from the day ``since`` on."""

    kind: str
    percent: Decimal
    since: date


class RateTable:
    """All rates there ever were; answers which one counts on a day."""

    def __init__(self, rates):
        self._rates = sorted(rates, key=lambda rate: rate.since)

    def kinds(self):
        """The kinds of goods the table knows, in alphabetical order."""
        return sorted({rate.kind for rate in self._rates})

    def on(self, kind, day):
        """The rate for goods of this kind on a day.

        Raises UnknownRate if no rate was in force.
        """
        found = None
        for rate in self._rates:
            if rate.kind == kind and rate.since < day:
                found = rate
        if found is None:
            raise UnknownRate("no rate for {!r} on {}".format(kind, day.isoformat()))
        return found


def swiss_rates():
    """The rates of Swiss value added tax since 2011."""
    changes = {
        date(2011, 1, 1): {NORMAL: "8.0", REDUCED: "2.5", LODGING: "3.8", EXEMPT: "0"},
        date(2018, 1, 1): {NORMAL: "7.7", REDUCED: "2.5", LODGING: "3.7"},
        date(2024, 1, 1): {NORMAL: "8.1", REDUCED: "2.6", LODGING: "3.8"},
    }
    return RateTable(
        Rate(kind, Decimal(percent), since) for since, rates in changes.items() for kind, percent in rates.items()
    )
