"""The rate limiter: one request's rejection pauses all requests to that model."""

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


def make_limiter(clock, patience=0.0):
    return Limiter(2.0, patience, clock, Random(1))


def send(limiter, model="there one", most=60.0, error=None, cancel=None):
    with limiter.turn(model, cancel or threading.Event(), most):
        if error:
            raise error


def refuse(limiter, model="there one", wait=None):
    with pytest.raises(ModelError):
        send(limiter, model, error=ModelError("429", retryable=True, wait=wait, limited=True))


def start_thread(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_other_models_and_addresses_are_not_paused(clock):
    limiter = make_limiter(clock)
    refuse(limiter, "there one", 30.0)
    send(limiter, "there other")
    send(limiter, "elsewhere one")
    assert [limiter.pause(name) for name in ("there one", "there other", "elsewhere one")] == [30.0, 0.0, 0.0]
    assert limiter.pauses() == {"one": 30.0}


def test_other_errors_cause_no_pause(clock):
    limiter = make_limiter(clock)
    with pytest.raises(ModelError):
        send(limiter, error=ModelError("500", retryable=True, wait=30.0))
    send(limiter)


def test_requests_wait_for_pause_then_go_one_by_one(clock):
    limiter, send_times, active, active_counts = make_limiter(clock), [], [], []
    refuse(limiter, wait=10.0)
    entered, release = threading.Semaphore(0), threading.Semaphore(0)

    def work():
        with limiter.turn("there one", threading.Event()):
            send_times.append(clock.now)
            active.append(1)
            active_counts.append(len(active))
            entered.release()
            release.acquire()
            active.pop()

    threads = [start_thread(work) for _ in range(6)]
    clock.now = 9.9
    assert not entered.acquire(timeout=0.3)
    clock.now = 10.0
    assert entered.acquire(timeout=10)
    assert not entered.acquire(timeout=0.3), "one request tests whether the limit still holds"
    release.release(6)
    for thread in threads:
        thread.join(10)
    assert send_times == [10.0] * 6
    assert active_counts[0] == 1


def test_wait_can_be_interrupted(clock):
    limiter, cancel, raised = make_limiter(clock), threading.Event(), []
    refuse(limiter, wait=30.0)

    def work():
        try:
            send(limiter, cancel=cancel)
        except Cancelled as error:
            raised.append(error)

    thread = start_thread(work)
    cancel.set()
    thread.join(10)
    assert raised
    clock.now = 30.0
    send(limiter)


def test_pause_above_maximum_is_raised_at_once(clock):
    limiter = make_limiter(clock)
    refuse(limiter, wait=3600.0)
    with pytest.raises(ModelError, match="one requests a pause of 3600 s") as raised:
        send(limiter, most=60.0)
    assert (raised.value.limited, raised.value.billed, raised.value.retryable) == (True, False, True)


def test_answer_resets_patience(clock):
    limiter = make_limiter(clock, patience=100.0)
    refuse(limiter, wait=50.0)
    clock.now = 50.0
    refuse(limiter, wait=60.0)
    clock.now = 101.0
    with pytest.raises(ModelError, match="has rejected all requests for 101 s"):
        send(limiter)
    clock.now = 110.0
    send(limiter)
    refuse(limiter, wait=50.0)
    with pytest.raises(Cancelled):
        send(limiter, cancel=set_event())


def set_event():
    event = threading.Event()
    event.set()
    return event


def test_all_threads_get_answers_with_few_rejections():
    limiter, lock = Limiter(0.0), threading.Lock()
    answered, refused, flying = [], [], []

    def work():
        for _ in range(20):
            while True:
                try:
                    with limiter.turn("m", threading.Event()):
                        with lock:
                            flying.append(1)
                            in_flight = len(flying)
                        time.sleep(0.001)
                        with lock:
                            flying.pop()
                            (refused if in_flight > 4 else answered).append(1)
                        if in_flight > 4:
                            raise ModelError("429", limited=True, wait=0.0)
                    break
                except ModelError:
                    continue

    threads = [start_thread(work) for _ in range(12)]
    for thread in threads:
        thread.join(60)
    assert len(answered) == 12 * 20
    assert len(refused) < len(answered)
