"""The send rate of a model, with simulated time."""

from math import inf
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from agent.limits.rate_limiter import LONGEST, SendRate


def make_rate(first: float = 2.0) -> SendRate:
    return SendRate(first, Random(1))


def send(rate: SendRate, count: int, now: float = 0.0) -> list[int]:
    """Send `count` requests."""
    markers = []
    for _ in range(count):
        assert rate.wait(now) == 0
        markers.append(rate.leave())
    return markers


def answer(rate: SendRate, marker: int) -> None:
    rate.answered(marker)
    rate.end()


def refuse(rate: SendRate, marker: int, now: float, asked: float | None = None) -> None:
    rate.refused(marker, now, asked)
    rate.end()


def test_requests_do_not_wait_before_first_rejection():
    send(make_rate(), 1000)


def test_pause_has_requested_length():
    rate = make_rate()
    (marker,) = send(rate, 1)
    refuse(rate, marker, 10.0, 7.0)
    assert [rate.wait(now) for now in (10.0, 16.0, 17.0)] == [7.0, 1.0, 0.0]


def test_pauses_grow_up_to_bound_without_requested_length():
    rate, now, waits = make_rate(), 0.0, []
    for _ in range(40):
        (marker,) = send(rate, 1, now)
        refuse(rate, marker, now)
        waits.append(rate.wait(now))
        now += waits[-1]
    assert 1.5 <= waits[0] <= 2
    assert 3 <= waits[1] <= 4
    assert 6 <= waits[2] <= 8
    assert max(waits) <= LONGEST
    assert min(waits[10:]) >= 0.75 * LONGEST
    assert len(set(waits[10:])) > 1, "without jitter all processes would retry at the same moment"


def test_pause_exceeds_requested_length_that_was_too_short():
    rate = make_rate()
    (marker,) = send(rate, 1)
    refuse(rate, marker, 0.0, 0.0)
    (marker,) = send(rate, 1)
    refuse(rate, marker, 0.0, 0.0)
    assert rate.wait(0.0) >= 3


def test_concurrent_rejections_count_once_with_longest_pause():
    rate = make_rate()
    markers = send(rate, 8)
    for seconds, marker in zip((3.0, 9.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0), markers, strict=True):
        refuse(rate, marker, 0.0, seconds)
    assert rate.wait(0.0) == 9.0
    assert rate.pauses == 1


def test_after_pause_limit_grows_with_answers():
    rate = make_rate()
    markers = send(rate, 8)
    refuse(rate, markers[0], 0.0, 5.0)
    for marker in markers[1:]:
        answer(rate, marker)
    allowed = []
    for _ in range(6):
        markers = send(rate, int(rate.allowed), 5.0)
        assert rate.wait(5.0) == inf
        allowed.append(len(markers))
        for marker in markers:
            answer(rate, marker)
    assert allowed == [1, 2, 4, 4, 5, 6], "doubled up to half the earlier number, then one more a round"


def test_only_answer_to_later_request_ends_rejections():
    rate = make_rate()
    early, late = send(rate, 2)
    refuse(rate, late, 1.0, 1.0)
    answer(rate, early)
    assert (rate.refused_since, rate.allowed) == (1.0, 1.0)
    (marker,) = send(rate, 1, 2.0)
    answer(rate, marker)
    assert rate.refused_since is None


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["go", "answered", "refused", "ended"]),
        st.floats(0, 30),
        st.none() | st.floats(0, 90),
        st.integers(0, 99),
    ),
    max_size=120,
)


@given(EVENTS, st.floats(0, 5))
def test_no_request_is_sent_during_pause(events, first):
    rate, now, flying, pause_ends = make_rate(first), 0.0, [], 0.0
    for event, elapsed, asked, index in events:
        now += elapsed
        if event == "go":
            if rate.wait(now) == 0:
                assert now >= pause_ends
                flying.append(rate.leave())
        elif flying:
            marker = flying.pop(index % len(flying))
            if event == "refused":
                rate.refused(marker, now, asked)
                pause_ends = max(pause_ends, now + (asked or 0.0))
            elif event == "answered":
                rate.answered(marker)
            rate.end()
        assert rate.flying == len(flying)
    rate.until = now
    for marker in flying:
        answer(rate, marker)
    assert rate.wait(now) == 0, "with nothing in flight a request may always be sent"
