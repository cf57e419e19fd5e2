"""The budget of a batch: an instance starts only if its whole budget is available, and returns what it did not spend.

A lease reserves an instance's budget, in whole picodollars as in `agent/limits/run_budget.py`. The sum of leased and
spent dollars exceeds the total only if a provider bills more than a request's reservation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from threading import Condition, Event

from agent.limits.run_budget import PICO, dollars
from trajectories.errors import BudgetStop, Cancelled, UsageError

TICK = 0.1
"""Seconds between checks of whether a waiting worker should stop."""


class BudgetExhausted(BudgetStop):
    """Raised if the total does not cover another instance and no open lease can return any money."""


class BatchBudget:
    """The budget that all workers share.

    `total` is in dollars, None for no limit; `spent` is what earlier processes of the batch spent. Raises UsageError
    for an invalid total.
    """

    def __init__(self, total: float | None, spent: float = 0.0) -> None:
        if total is not None and not isfinite(total):
            raise UsageError(f"--total {total:g} is not an amount.", "Give dollars, or no --total for no limit.")
        self._total = None if total is None else _pico(total)
        self._spent = _pico(spent)
        self._leased = 0
        self._changed = Condition()

    def lease(self, wanted: float, cancel: Event) -> Lease:
        """Reserve `wanted` dollars for one instance. Wait while too little is left but other leases are open.

        Raises BudgetExhausted if too little is left and no other lease is open, Cancelled when stopped while waiting.
        """
        pico = _pico(wanted)
        with self._changed:
            while self._total is not None and self._spent + self._leased + pico > self._total:
                if not self._leased:
                    left = max(0, self._total - self._spent)
                    raise BudgetExhausted(
                        f"The total is used up: ${dollars(left):.4f} of ${dollars(self._total):.2f} is left, and an "
                        f"instance may cost ${wanted:.2f}.",
                        "Start it again with a higher --total to continue.",
                    )
                if cancel.is_set():
                    raise Cancelled("The batch was stopped.")
                self._changed.wait(TICK)
            self._leased += pico
        return Lease(self, pico)

    @property
    def spent(self) -> float:
        """Dollars spent, not including open leases."""
        with self._changed:
            return dollars(self._spent)

    def _settle(self, leased: int, spent: int) -> None:
        with self._changed:
            self._leased -= leased
            self._spent += spent
            self._changed.notify_all()


@dataclass(slots=True)
class Lease:
    """A reservation for one instance."""

    batch_budget: BatchBudget
    _pico: int
    _open: bool = field(default=True)

    @property
    def amount(self) -> float:
        return dollars(self._pico)

    def give_back(self, spent: float) -> None:
        """Settle the lease: book the `spent` dollars and release the rest for other instances. Raises ValueError if the
        lease is already settled.

        `spent` is negative if a request that was first counted with its whole reservation turned out to be cheaper.
        """
        if not self._open:
            raise ValueError("the lease is settled already")
        self._open = False
        self.batch_budget._settle(self._pico, _pico(spent))


def _pico(amount: float) -> int:
    return round(amount * PICO)
