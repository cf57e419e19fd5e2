"""How fast a provider is asked, by a clock of our own."""

from math import inf
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from agent.limits.send_rate import LONGEST, SendRate


def pace(first: float = 2.0) -> SendRate:
    return SendRate(first, Random(1))


def fly(paced: SendRate, count: int, now: float = 0.0) -> list[int]:
    """So many requests leave."""
    left = []
    for _ in range(count):
        assert paced.wait(now) == 0
        left.append(paced.leave())
    return left


def land(paced: SendRate, left: int) -> None:
    paced.answered(left)
    paced.end()


def refuse(paced: SendRate, left: int, now: float, asked: float | None = None) -> None:
    paced.refused(left, now, asked)
    paced.end()


def test_nobody_waits_before_refusal():
    fly(pace(), 1000)


def test_pause_is_as_long_as_provider_asks():
    paced = pace()
    (left,) = fly(paced, 1)
    refuse(paced, left, 10.0, 7.0)
    assert [paced.wait(now) for now in (10.0, 16.0, 17.0)] == [7.0, 1.0, 0.0]


def test_pauses_grow_where_provider_does_not_say_up_to_bound():
    paced, now, waits = pace(), 0.0, []
    for _ in range(40):
        (left,) = fly(paced, 1, now)
        refuse(paced, left, now)
        waits.append(paced.wait(now))
        now += waits[-1]
    assert 1.5 <= waits[0] <= 2
    assert 3 <= waits[1] <= 4
    assert 6 <= waits[2] <= 8
    assert max(waits) <= LONGEST
    assert min(waits[10:]) >= 0.75 * LONGEST
    assert len(set(waits[10:])) > 1, "without jitter all processes would ask at the same moment"


def test_provider_whose_own_word_proved_too_short_is_given_more():
    paced = pace()
    (left,) = fly(paced, 1)
    refuse(paced, left, 0.0, 0.0)
    (left,) = fly(paced, 1)
    refuse(paced, left, 0.0, 0.0)
    assert paced.wait(0.0) >= 3


def test_refusals_of_one_flight_are_one_refusal_and_longest_pause_counts():
    paced = pace()
    flight = fly(paced, 8)
    for seconds, left in zip((3.0, 9.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0), flight, strict=True):
        refuse(paced, left, 0.0, seconds)
    assert paced.wait(0.0) == 9.0
    assert paced.pauses == 1


def test_after_pause_one_asks_and_then_more_with_each_answer():
    paced = pace()
    flight = fly(paced, 8)
    refuse(paced, flight[0], 0.0, 5.0)
    for left in flight[1:]:
        land(paced, left)
    allowed = []
    for _ in range(6):
        flight = fly(paced, int(paced.allowed), 5.0)
        assert paced.wait(5.0) == inf
        allowed.append(len(flight))
        for left in flight:
            land(paced, left)
    assert allowed == [1, 2, 4, 4, 5, 6], "doubled up to half of what there was, then one more a round"


def test_answer_ends_row_of_refusals_but_not_one_that_left_before():
    paced = pace()
    early, late = fly(paced, 2)
    refuse(paced, late, 1.0, 1.0)
    land(paced, early)
    assert (paced.refused_since, paced.allowed) == (1.0, 1.0)
    (left,) = fly(paced, 1, 2.0)
    land(paced, left)
    assert paced.refused_since is None


WAYS = st.lists(
    st.tuples(
        st.sampled_from(["go", "answered", "refused", "ended"]),
        st.floats(0, 30),
        st.none() | st.floats(0, 90),
        st.integers(0, 99),
    ),
    max_size=120,
)


@given(WAYS, st.floats(0, 5))
def test_no_request_leaves_during_pause_whatever_happens(ways, first):
    paced, now, flying, pause_ends = pace(first), 0.0, [], 0.0
    for way, passed, asked, which in ways:
        now += passed
        if way == "go":
            if paced.wait(now) == 0:
                assert now >= pause_ends
                flying.append(paced.leave())
        elif flying:
            left = flying.pop(which % len(flying))
            if way == "refused":
                paced.refused(left, now, asked)
                pause_ends = max(pause_ends, now + (asked or 0.0))
            elif way == "answered":
                paced.answered(left)
            paced.end()
        assert paced.flying == len(flying)
    paced.until = now
    for left in flying:
        land(paced, left)
    assert paced.wait(now) == 0, "once all is quiet somebody may always go"
