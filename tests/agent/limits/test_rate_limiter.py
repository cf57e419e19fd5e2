"""One provider's refusal is everybody's."""

import threading
import time
from random import Random

import pytest

from agent.limits.rate_limiter import Limiter
from trajectories.errors import Cancelled, ModelError


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def limiter(clock, patience=0.0):
    return Limiter(2.0, patience, clock, Random(1))


def go(limiter, model="there one", most=60.0, error=None, cancel=None):
    with limiter.turn(model, cancel or threading.Event(), most):
        if error:
            raise error


def refuse(limiter, model="there one", wait=None):
    with pytest.raises(ModelError):
        go(limiter, model, error=ModelError("429", retryable=True, wait=wait, limited=True))


def started(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_who_asks_another_model_or_another_address_is_not_slowed(clock):
    ours = limiter(clock)
    refuse(ours, "there one", 30.0)
    go(ours, "there other")
    go(ours, "elsewhere one")
    assert [ours.pause(name) for name in ("there one", "there other", "elsewhere one")] == [30.0, 0.0, 0.0]
    assert ours.pauses() == {"one": 30.0}


def test_other_errors_slow_nobody(clock):
    ours = limiter(clock)
    with pytest.raises(ModelError):
        go(ours, error=ModelError("500", retryable=True, wait=30.0))
    go(ours)


def test_all_wait_for_end_of_pause_and_then_go_one_after_other(clock):
    ours, gone, inside, most = limiter(clock), [], [], []
    refuse(ours, wait=10.0)
    asked, release = threading.Semaphore(0), threading.Semaphore(0)

    def work():
        with ours.turn("there one", threading.Event()):
            gone.append(clock.now)
            inside.append(1)
            most.append(len(inside))
            asked.release()
            release.acquire()
            inside.pop()

    threads = [started(work) for _ in range(6)]
    clock.now = 9.9
    assert not asked.acquire(timeout=0.3)
    clock.now = 10.0
    assert asked.acquire(timeout=10)
    assert not asked.acquire(timeout=0.3), "one asks whether it is over"
    release.release(6)
    for thread in threads:
        thread.join(10)
    assert gone == [10.0] * 6
    assert most[0] == 1


def test_wait_heeds_interrupt(clock):
    ours, cancel, raised = limiter(clock), threading.Event(), []
    refuse(ours, wait=30.0)

    def work():
        try:
            go(ours, cancel=cancel)
        except Cancelled as error:
            raised.append(error)

    thread = started(work)
    cancel.set()
    thread.join(10)
    assert raised
    clock.now = 30.0
    go(ours)


def test_pause_longer_than_one_may_wait_is_told_at_once(clock):
    ours = limiter(clock)
    refuse(ours, wait=3600.0)
    with pytest.raises(ModelError, match="one asks to wait 3600 s") as raised:
        go(ours, most=60.0)
    assert (raised.value.limited, raised.value.billed, raised.value.retryable) == (True, False, True)


def test_patience_ends_and_begins_anew_with_answer(clock):
    ours = limiter(clock, patience=100.0)
    refuse(ours, wait=50.0)
    clock.now = 50.0
    refuse(ours, wait=60.0)
    clock.now = 101.0
    with pytest.raises(ModelError, match="has rejected all requests for 101 s"):
        go(ours)
    clock.now = 110.0
    go(ours)
    refuse(ours, wait=50.0)
    with pytest.raises(Cancelled):
        go(ours, cancel=_set())


def _set():
    event = threading.Event()
    event.set()
    return event


def test_many_threads_all_get_through_and_are_refused_seldom():
    ours, lock = Limiter(0.0), threading.Lock()
    answered, refused, flying = [], [], []

    def work():
        for _ in range(20):
            while True:
                try:
                    with ours.turn("m", threading.Event()):
                        with lock:
                            flying.append(1)
                            crowd = len(flying)
                        time.sleep(0.001)
                        with lock:
                            flying.pop()
                            (refused if crowd > 4 else answered).append(1)
                        if crowd > 4:
                            raise ModelError("429", limited=True, wait=0.0)
                    break
                except ModelError:
                    continue

    threads = [started(work) for _ in range(12)]
    for thread in threads:
        thread.join(60)
    assert len(answered) == 12 * 20
    assert len(refused) < len(answered)
