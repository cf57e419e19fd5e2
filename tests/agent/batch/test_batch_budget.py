"""Leases: what is out and what is spent never pass the total, whatever threads do."""

from __future__ import annotations

import time
from threading import Barrier, Event, Lock, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as some

from agent.batch.batch_budget import BatchBudget, BudgetExhausted
from trajectories.errors import Cancelled, UsageError


def test_rest_of_lease_is_free_for_others():
    batch_budget = BatchBudget(1.0)
    first = batch_budget.lease(0.75, Event())
    first.give_back(0.25)
    assert batch_budget.spent == 0.25
    assert batch_budget.lease(0.75, Event()).amount == 0.75


def test_what_is_spent_before_counts_and_whole_budget_must_be_left():
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


def test_without_total_there_is_always_enough_and_it_is_counted():
    batch_budget = BatchBudget(None)
    batch_budget.lease(2.0, Event()).give_back(1.5)
    batch_budget.lease(10**6, Event()).give_back(0.25)
    assert batch_budget.spent == 1.75


def test_lease_is_settled_once():
    lease = BatchBudget(1.0).lease(0.5, Event())
    lease.give_back(0.1)
    with pytest.raises(ValueError, match="settled already"):
        lease.give_back(0.1)


def test_who_waits_for_others_is_stopped_by_cancel():
    batch_budget, cancel = BatchBudget(1.0), Event()
    batch_budget.lease(1.0, Event())
    cancel.set()
    with pytest.raises(Cancelled):
        batch_budget.lease(1.0, cancel)


def test_who_waits_goes_on_as_soon_as_something_comes_back():
    batch_budget, got = BatchBudget(1.0), []
    held = batch_budget.lease(1.0, Event())
    waiting = Thread(target=lambda: got.append(batch_budget.lease(0.5, Event())))
    waiting.start()
    held.give_back(0.5)
    waiting.join(20)
    assert [lease.amount for lease in got] == [0.5]


SHARES = some.lists(some.floats(0, 1), min_size=1, max_size=12)


@given(total=some.integers(0, 50), wanted=some.integers(1, 20), before=some.integers(0, 10), shares=SHARES)
def test_leases_and_spent_never_pass_total(total: int, wanted: int, before: int, shares: list[float]):
    """Three threads lease and settle; after each lease the ledger of all of them is looked at."""
    cents = 0.01
    batch_budget, lock, barrier = BatchBudget(total * cents, before * cents), Lock(), Barrier(3)
    out: dict[int, float] = {}
    spent, highest, ended = [before * cents], [before * cents], []

    def work(mine: list[float]) -> None:
        barrier.wait()
        for number, share in enumerate(mine):
            try:
                lease = batch_budget.lease(wanted * cents, Event())
            except BudgetExhausted:
                ended.append(number)
                return
            with lock:
                out[id(lease)] = lease.amount
                highest.append(sum(spent) + sum(out.values()))
            with lock:  # the books first: what is given back may be leased at once
                del out[id(lease)]
                spent.append(lease.amount * share)
                lease.give_back(spent[-1])

    threads = [Thread(target=work, args=(shares[number::3],)) for number in range(3)]
    for number, thread in enumerate(threads):
        thread.start()
        while barrier.n_waiting == number and number < 2:  # two that begin at once may trip over a tracer of coverage's
            time.sleep(0)
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert max(highest[1:], default=0) <= total * cents + 1e-9
    assert batch_budget.spent == pytest.approx(sum(spent), abs=1e-11)  # each of a dozen is rounded to 1e-12
    if ended:
        assert batch_budget.spent + wanted * cents > total * cents - 1e-9, "it ends only where too little is left"


@pytest.mark.parametrize("total", [float("inf"), float("nan")])
def test_total_is_amount(total):
    with pytest.raises(UsageError, match="is not an amount"):
        BatchBudget(total)
