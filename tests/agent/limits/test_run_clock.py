"""The clock of a run: active time, stops, pauses and the deadline of a turn."""

from __future__ import annotations

import time

import pytest

from agent.limits import run_budget
from agent.limits.cancellation import CancellationToken
from agent.limits.run_budget import RunClock


@pytest.fixture
def now(monkeypatch):
    """The time in seconds, which a test advances: `now[0] += 5`."""
    at = [100.0]
    monkeypatch.setattr(run_budget.time, "monotonic", lambda: at[0])
    return at


def clock(left=None, seconds=0.0, pauses=None):
    cancel = CancellationToken()
    return RunClock(cancel, seconds, left, (pauses if pauses is not None else []).append), cancel


def test_time_of_earlier_processes_is_included(now):
    running, _ = clock(seconds=7.0)
    now[0] += 5
    assert running.seconds == 12.0


def test_stopped_clock_keeps_its_time_and_has_no_deadline(now):
    running, cancel = clock(left=30.0)
    now[0] += 5
    running.stop()
    now[0] += 1000
    assert (running.seconds, cancel.deadline) == (5.0, None)


def test_continued_clock_has_deadline_of_next_turn(now):
    running, cancel = clock(left=30.0)
    now[0] += 5
    running.stop()
    now[0] += 1000
    running.start(20.0)
    now[0] += 2
    assert (running.seconds, cancel.deadline) == (7.0, 1125.0)


def test_running_clock_is_not_started_again(now):
    running, cancel = clock(left=30.0)
    now[0] += 5
    running.start(99.0)
    assert (running.seconds, cancel.deadline) == (5.0, 130.0)


def test_pause_moves_deadline_and_is_recorded(now):
    pauses = []
    running, cancel = clock(left=30.0, pauses=pauses)
    with running.pause(), running.pause():
        now[0] += 8
        assert (running.seconds, cancel.deadline) == (0.0, None)
    assert (running.seconds, cancel.deadline, pauses) == (0.0, 138.0, [8.0])


def test_short_pause_is_not_recorded(now):
    pauses = []
    running, _ = clock(pauses=pauses)
    with running.pause():
        now[0] += 0.5
    assert pauses == []


def test_clock_stopped_in_a_pause_has_no_deadline_afterwards(now):
    running, cancel = clock(left=30.0)
    with running.pause():
        now[0] += 8
        running.stop()
    assert (running.seconds, cancel.deadline) == (0.0, None)


def test_elapsed_time_is_that_of_monotonic_clock():
    running, _ = clock()
    before = time.monotonic()
    assert running.seconds <= time.monotonic() - before + 1.0
