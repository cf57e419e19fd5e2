"""The run budget: no order of replies, retries, cut streams and branches exceeds it."""

from dataclasses import replace
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.limits.run_budget import PICO, UNPRICED_TOKENS, Ledger, Price
from trajectories.errors import BudgetStop
from trajectories.records import Usage

rates = st.floats(0, 100, allow_nan=False).map(lambda rate: round(rate, 4))
prices = st.none() | st.builds(Price, rates, rates, cached=st.none() | rates, own=st.booleans())


@st.composite
def requests(draw):
    """One request: its size and how it ends."""
    return {
        "branch": draw(st.sampled_from(["main", "main/a", "main/b"])),
        "input": draw(st.integers(0, 200_000)),
        "output": draw(st.integers(1, 8192)),
        "ending": draw(st.sampled_from(["usage", "part", "own figure", "refused", "cut", "killed"])),
        "share": draw(st.floats(0, 1)),
        "later": draw(st.booleans()),
    }


def usage_within(hold_input: int, output: int, share: float) -> Usage:
    read = int(hold_input * share)
    return Usage(read, int(output * share), cached_tokens=int(read * share))


@pytest.mark.slow
@given(
    prices,
    st.floats(0, 5).map(lambda budget: round(budget, 6)),
    st.none() | st.integers(1, 400_000),
    st.lists(requests(), max_size=25),
)
@settings(max_examples=300, deadline=None)
def test_usage_within_reservations_never_exceeds_budget_or_tokens(price, budget, max_tokens, requested):
    ledger = Ledger(budget, max_tokens)
    holds, settles, waiting = [], {}, []

    def settle(hold, usage, billed=True):
        record = ledger.price_of(hold, usage, price, billed=billed)
        ledger.settle(record)
        settles[hold.id] = record

    for number, request in enumerate(requested, 1):
        try:
            hold, output = ledger.hold(request["branch"], number, 1, "m", price, request["input"], request["output"])
        except BudgetStop:
            continue
        holds.append(hold)
        usage = usage_within(request["input"], output, request["share"])
        match request["ending"]:
            case "own figure" if hold.dollars is not None:
                usage = Usage(usage.input_tokens, usage.output_tokens, 0, hold.dollars * request["share"])
                finish = (hold, usage)
            case "refused":
                finish = (hold, None, False)
            case "cut":
                finish = (hold, None)
            case "killed":
                continue
            case _:
                finish = (hold, usage)
        if request["later"]:
            waiting.append(finish)
        else:
            settle(*finish)
        spent = ledger.spent
        assert spent.dollars is None or round(spent.dollars * PICO) <= round(budget * PICO)
        assert max_tokens is None or ledger.tokens <= max_tokens
    for finish in waiting:
        settle(*finish)
    assert ledger.overrun == ""
    assert ledger.spent.dollars is None or round(ledger.spent.dollars * PICO) <= round(budget * PICO)

    again = Ledger(budget, max_tokens)
    again.replay(holds, settles)
    assert again.spent == replace(ledger.spent, held_dollars=0.0), "unanswered requests count as spent"
    assert again.tokens == ledger.tokens


def test_parallel_branches_share_one_budget():
    price = Price(1.0, 1.0)
    ledger = Ledger(0.001)  # pays for 1000 tokens
    refused = []

    def spend(branch):
        for number in range(100):
            try:
                hold, output = ledger.hold(branch, number, 1, "m", price, 10, 20)
            except BudgetStop:
                refused.append(branch)
                return
            ledger.settle(ledger.price_of(hold, Usage(10, output), price))

    threads = [Thread(target=spend, args=(f"main/{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 4
    assert 970 * 10**6 <= round(ledger.spent.dollars * PICO) <= 1000 * 10**6


def test_output_is_cut_to_remaining_budget():
    hold, output = Ledger(0.001).hold("main", 1, 1, "m", Price(1.0, 2.0), 500, 8192)
    assert output == 250
    assert hold.dollars == 0.001


def test_request_is_reserved_at_highest_rate():
    hold, _ = Ledger(2.0).hold("main", 1, 1, "m", Price(1.0, 0.0, cached=1.25), 1_000_000 - 16, 16)
    assert hold.dollars == pytest.approx(1.25, rel=1e-4)


def test_billing_above_reservation_is_booked_and_ends_run():
    ledger, price = Ledger(1.0), Price(1.0, 1.0)
    hold, _ = ledger.hold("main", 1, 1, "greedy", price, 100, 100)
    ledger.settle(ledger.price_of(hold, Usage(5000, 100), price))
    assert ledger.spent.dollars == 0.0051
    with pytest.raises(BudgetStop, match="greedy billed 5100 tokens"):
        ledger.hold("main", 2, 1, "greedy", price, 1, 16)


def test_user_price_beats_provider_cost_and_that_beats_price_map():
    usage = Usage(1000, 0, 0, dollars=0.5)
    for price, dollars in ((Price(1.0, 1.0, own=True), 0.001), (Price(1.0, 1.0), 0.5)):
        ledger = Ledger(5.0)
        hold, _ = ledger.hold("main", 1, 1, "m", price, 1000, 16)
        assert ledger.price_of(hold, usage, price).dollars == dollars


def test_dollars_are_none_without_price():
    ledger = Ledger(2.0, max_tokens=1000)
    hold, _ = ledger.hold("main", 1, 1, "m", None, 10, 20)
    assert hold.dollars is None
    ledger.settle(ledger.price_of(hold, Usage(10, 5), None))
    assert ledger.spent.dollars is None
    assert ledger.tokens == 15


def test_requests_without_price_have_default_limit_on_tokens():
    ledger = Ledger(2.0)
    priced, _ = ledger.hold("main", 1, 1, "m", Price(0.1, 0.1), 2_000_000, 20)
    ledger.settle(ledger.price_of(priced, Usage(2_000_000, 5), Price(0.1, 0.1)))
    hold, output = ledger.hold("main", 2, 1, "own", None, UNPRICED_TOKENS - 100, 4000)
    assert output == 100
    ledger.settle(ledger.price_of(hold, Usage(UNPRICED_TOKENS - 10, 5), None))
    with pytest.raises(BudgetStop, match="5 of 1,000,000 tokens for models without a known price are left") as stop:
        ledger.hold("main", 3, 1, "own", None, 1, 4000)
    assert "--max-tokens" in stop.value.fix
    assert ledger.hold("main", 3, 1, "m", Price(0.1, 0.1), 1, 4000)[1] == 4000


@pytest.mark.parametrize("more", [lambda ledger: None, lambda ledger: ledger.allow_tokens(5_000_000)])
def test_limit_of_user_replaces_default_limit(more):
    ledger = Ledger(2.0, max_tokens=3_000_000)
    more(ledger)
    assert ledger.hold("main", 1, 1, "own", None, 2_000_000, 4000)[1] == 4000


def test_settling_twice_is_refused():
    ledger = Ledger(1.0)
    hold, _ = ledger.hold("main", 1, 1, "m", Price(1, 1), 1, 16)
    settle = ledger.price_of(hold, Usage(1, 1), Price(1, 1))
    ledger.settle(settle)
    with pytest.raises(KeyError):
        ledger.settle(settle)


def test_settlement_marks_estimated_usage() -> None:
    ledger = Ledger(1.0)
    hold, _ = ledger.hold("main", 1, 1, "m", Price(1, 1), 10, 1000)
    settle = ledger.price_of(hold, Usage(1, 600, stated_output=1), Price(1, 1))
    assert (settle.source, settle.dollars) == ("estimate", 0.000601)
    assert ledger.price_of(hold, Usage(1, 600, stated_output=1), Price(0, 0)).dollars == 0.0
