"""Tests of the sandbox that runs work in a forked child."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from extensions.experiment.guest.forked_sandbox import PRIVATE_DESCRIPTORS, Child, run_forked
from extensions.optimize.guest.child_process import run_in_children


def test_child_that_left_its_process_group_is_killed() -> None:
    group = os.getpgrp()

    def leave(emit: Callable[[Any], None], take: Callable[[], Any]) -> None:
        take()  # the parent has put the child into a group of its own
        os.setpgid(0, group)
        emit("left")
        time.sleep(60)

    child = Child(leave)
    child.send("go")
    assert child.receive() == ["left"]
    child.kill()
    assert os.WTERMSIG(child.status) == signal.SIGKILL


def test_lines_without_token_are_ignored() -> None:
    def work(emit: Callable[[Any], None], take: Callable[[], Any]) -> None:
        take()
        for descriptor in PRIVATE_DESCRIPTORS:
            with contextlib.suppress(OSError):  # one of the two pipes can only be read
                os.write(descriptor, b'"forged"\n')
        emit("own")

    child = Child(work, b"token")
    child.send("go")
    found: list[Any] = []
    while not child.ended:
        found += child.receive()
    child.kill()
    assert (found, child.done) == (["own"], True)


def test_sleeping_child_is_noticed_before_patience_ends() -> None:
    def sleep(emit: Callable[[Any], None]) -> None:
        emit("begun")
        time.sleep(60)

    found: list[Any] = []
    assert run_forked(sleep, found.append, 30.0, quiet=0.05) == "waits"
    assert run_forked(sleep, found.append, 0.2) == "timeout"
    assert found == ["begun", "begun"]


@pytest.mark.slow
def test_no_more_answers_than_calls_are_read_from_code_that_forks() -> None:
    def start() -> Callable[[int], dict[str, Any]]:
        def answer(number: int) -> dict[str, Any]:
            os.fork()
            return {"kind": "done", "number": number}

        return answer

    for _ in range(5):
        assert len(list(run_in_children(start, 3, 5.0, "token"))) == 3


@pytest.mark.slow
def test_call_that_waits_for_processor_is_not_late():
    """Under load a call gets a part of the processor; what it waits does not count."""

    def start():
        return lambda number: time.sleep(0.6) or {"kind": "made"}

    assert list(run_in_children(start, 1, 0.3, "token")) == [{"kind": "made"}]
    busy = list(run_in_children(lambda: lambda number: [0 for _ in iter(int, 1)], 1, 0.2, "token"))
    assert busy == [{"kind": "late"}]
