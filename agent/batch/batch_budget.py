"""The purse of a batch: an instance is begun only where its whole budget is still there, and gives back the rest.

A lease is an instance's budget, in whole picodollars as in `agent/ledger.py`. What is leased and what is spent never
come to more than the total, but by what a provider bills above a request's hold.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from threading import Condition, Event

from agent.ledger import PICO, dollars
from trajectories.errors import BudgetStop, Cancelled, UsageError

TICK = 0.1
"""Seconds between two looks at whether somebody who waits is to stop."""


class Exhausted(BudgetStop):
    """The total does not pay for one more instance, and nobody will give anything back."""


class Purse:
    """Shared by all workers. `total` in dollars, None for no end; `spent` by earlier processes of the batch.

    Raises UsageError for a total that is no amount.
    """

    def __init__(self, total: float | None, spent: float = 0.0) -> None:
        if total is not None and not isfinite(total):
            raise UsageError(f"--total {total:g} is no amount.", "Give dollars, or no --total for no end.")
        self._total = None if total is None else _pico(total)
        self._spent = _pico(spent)
        self._leased = 0
        self._changed = Condition()

    def lease(self, wanted: float, cancel: Event) -> Lease:
        """Put `wanted` dollars aside for one instance. Waits where too little is left, as long as others may give back.

        Raises Exhausted where they cannot, Cancelled when stopped while it waits.
        """
        pico = _pico(wanted)
        with self._changed:
            while self._total is not None and self._spent + self._leased + pico > self._total:
                if not self._leased:
                    left = max(0, self._total - self._spent)
                    raise Exhausted(
                        f"The total is used up: ${dollars(left):.4f} left of ${dollars(self._total):.2f}, and an "
                        f"instance may take ${wanted:.2f}.",
                        "Start it again with a higher --total to go on.",
                    )
                if cancel.is_set():
                    raise Cancelled("The batch was stopped.")
                self._changed.wait(TICK)
            self._leased += pico
        return Lease(self, pico)

    @property
    def spent(self) -> float:
        """Dollars, without what is leased."""
        with self._changed:
            return dollars(self._spent)

    def _back(self, leased: int, spent: int) -> None:
        with self._changed:
            self._leased -= leased
            self._spent += spent
            self._changed.notify_all()


@dataclass(slots=True)
class Lease:
    """What one instance may spend."""

    purse: Purse
    _pico: int
    _open: bool = field(default=True)

    @property
    def amount(self) -> float:
        return dollars(self._pico)

    def give_back(self, spent: float) -> None:
        """Settle: `spent` dollars are gone, the rest is free for others. Once only; a second time is an error of ours.

        Less than nothing is spent where a request that was counted at its whole hold before came to less.
        """
        if not self._open:
            raise ValueError("the lease is settled already")
        self._open = False
        self.purse._back(self._pico, _pico(spent))


def _pico(amount: float) -> int:
    return round(amount * PICO)
