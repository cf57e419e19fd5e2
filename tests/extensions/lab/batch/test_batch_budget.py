"""Leases of a batch budget: leased and spent money never exceed the total, in any order of threads."""

from __future__ import annotations

import time
from threading import Barrier, Event, Lock, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.lab.batch.batch_budget import BatchBudget, BudgetExhausted
from trajectories.errors import Cancelled, UsageError


def test_unspent_part_of_lease_becomes_available():
    batch_budget = BatchBudget(1.0)
    first = batch_budget.lease(0.75, Event())
    first.give_back(0.25)
    assert batch_budget.spent == 0.25
    assert batch_budget.lease(0.75, Event()).amount == 0.75


def test_earlier_spending_counts_and_whole_lease_must_be_left():
    with pytest.raises(BudgetExhausted, match="0\\.4000 of \\$1\\.00 is left") as raised:
        BatchBudget(1.0, spent=0.6).lease(0.5, Event())
    assert raised.value.code == 4
    assert BatchBudget(1.0, spent=0.6).lease(0.4, Event()).amount == 0.4


def test_sums_are_exact():
    batch_budget = BatchBudget(0.3)
    for _ in range(3):
        batch_budget.lease(0.1, Event()).give_back(0.1)
    assert batch_budget.spent == 0.3
    with pytest.raises(BudgetExhausted):
        batch_budget.lease(1e-12, Event())


def test_budget_without_total_counts_spending():
    batch_budget = BatchBudget(None)
    batch_budget.lease(2.0, Event()).give_back(1.5)
    batch_budget.lease(10**6, Event()).give_back(0.25)
    assert batch_budget.spent == 1.75


def test_lease_cannot_be_settled_twice():
    lease = BatchBudget(1.0).lease(0.5, Event())
    lease.give_back(0.1)
    with pytest.raises(ValueError, match="settled already"):
        lease.give_back(0.1)


def test_cancellation_stops_waiting_lease():
    batch_budget, cancel = BatchBudget(1.0), Event()
    batch_budget.lease(1.0, Event())
    cancel.set()
    with pytest.raises(Cancelled):
        batch_budget.lease(1.0, cancel)


def test_waiting_lease_continues_once_money_is_returned():
    batch_budget, leases = BatchBudget(1.0), []
    first = batch_budget.lease(1.0, Event())
    waiting = Thread(target=lambda: leases.append(batch_budget.lease(0.5, Event())))
    waiting.start()
    first.give_back(0.5)
    waiting.join(20)
    assert [lease.amount for lease in leases] == [0.5]


SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(total=st.integers(0, 50), wanted=st.integers(1, 20), before=st.integers(0, 10), shares=SHARES)
def test_leased_and_spent_money_never_exceed_total(total: int, wanted: int, before: int, shares: list[float]):
    """Three threads lease and settle; the sum over all of them is checked after each lease."""
    cents = 0.01
    batch_budget, lock, barrier = BatchBudget(total * cents, before * cents), Lock(), Barrier(3)
    leased: dict[int, float] = {}
    spent, highest, ended = [before * cents], [before * cents], []

    def work(own_shares: list[float]) -> None:
        barrier.wait()
        for number, share in enumerate(own_shares):
            try:
                lease = batch_budget.lease(wanted * cents, Event())
            except BudgetExhausted:
                ended.append(number)
                return
            with lock:
                leased[id(lease)] = lease.amount
                highest.append(sum(spent) + sum(leased.values()))
            with lock:  # update the sums first: another thread may lease the returned money at once
                del leased[id(lease)]
                spent.append(lease.amount * share)
                lease.give_back(spent[-1])

    threads = [Thread(target=work, args=(shares[number::3],)) for number in range(3)]
    for number, thread in enumerate(threads):
        thread.start()
        while barrier.n_waiting == number and number < 2:  # threads that start together may trip coverage's tracer
            time.sleep(0)
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert max(highest[1:], default=0) <= total * cents + 1e-9
    assert batch_budget.spent == pytest.approx(sum(spent), abs=1e-11)  # each of a dozen is rounded to 1e-12
    if ended:
        assert batch_budget.spent + wanted * cents > total * cents - 1e-9, "a lease was refused with enough money left"


@pytest.mark.parametrize("total", [float("inf"), float("nan")])
def test_total_must_be_finite(total):
    with pytest.raises(UsageError, match="is not an amount"):
        BatchBudget(total)
