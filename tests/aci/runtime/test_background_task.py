"""Background tasks: each runs once and raises its error in the thread that waits for the answer."""

from __future__ import annotations

from threading import Event

import pytest

from aci.runtime.workspace import BackgroundTask
from trajectories.errors import Cancelled


def test_task_runs_once_in_background() -> None:
    go, done = Event(), []
    task = BackgroundTask(lambda: (go.wait(5), done.append(1), len(done))[-1], "task")
    assert not done
    go.set()
    assert [task.answer(), task.answer()] == [1, 1]


def test_answer_raises_error_of_task() -> None:
    def fail() -> None:
        raise OSError("disk full")

    task = BackgroundTask(fail, "task")
    task.wait()
    with pytest.raises(OSError, match="disk full"):
        task.answer()


def test_stop_event_ends_waiting() -> None:
    go, stop = Event(), Event()
    task = BackgroundTask(go.wait, "task")
    stop.set()
    with pytest.raises(Cancelled):
        task.answer(stop)
    go.set()
    task.wait()
    assert task.answer(stop) is True, "the answer exists, so nothing waits"
