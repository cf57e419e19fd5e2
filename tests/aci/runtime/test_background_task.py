"""What is done aside is done once, and what it raises is raised where it is wanted."""

from __future__ import annotations

from threading import Event

import pytest

from aci.runtime.background_task import BackgroundTask
from trajectories.errors import Cancelled


def test_it_is_done_while_its_asker_goes_on() -> None:
    go, done = Event(), []
    aside = BackgroundTask(lambda: (go.wait(5), done.append(1), len(done))[-1], "aside")
    assert not done
    go.set()
    assert [aside.answer(), aside.answer()] == [1, 1]


def test_what_it_raises_is_raised_where_answer_is_wanted() -> None:
    def fail() -> None:
        raise OSError("no room")

    aside = BackgroundTask(fail, "aside")
    aside.wait()
    with pytest.raises(OSError, match="no room"):
        aside.answer()


def test_who_is_stopped_waits_no_more() -> None:
    go, stop = Event(), Event()
    aside = BackgroundTask(go.wait, "aside")
    stop.set()
    with pytest.raises(Cancelled):
        aside.answer(stop)
    go.set()
    aside.wait()
    assert aside.answer(stop) is True, "it is there: nothing is waited for"
