"""A front whose troubles are none of the batch's: a terminal that is gone, a full disk behind stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from agent.batch.place import Done, Job
from agent.engine import Happening
from trajectories.records import Step

if TYPE_CHECKING:
    from agent.batch.driver import Front


class Showing:
    """`front`, which no longer raises; fulfils `Front`."""

    def __init__(self, front: Front) -> None:
        self._front = front

    def __enter__(self) -> Showing:
        with _quiet():
            self._front.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        with _quiet():
            self._front.__exit__(kind, value, at)

    def began(self, jobs: Sequence[Job], done: Sequence[Done] = ()) -> None:
        with _quiet():
            self._front.began(jobs, done)

    def started(self, job: Job, image: str) -> None:
        with _quiet():
            self._front.started(job, image)

    def step(self, job: Job, step: Step, dollars: float | None) -> None:
        with _quiet():
            self._front.step(job, step, dollars)

    def happening(self, job: Job, event: Happening) -> None:
        with _quiet():
            self._front.happening(job, event)

    def done(self, done: Done) -> None:
        with _quiet():
            self._front.done(done)

    def say(self, text: str) -> None:
        with _quiet():
            self._front.say(text)


@contextmanager
def _quiet() -> Iterator[None]:
    try:
        yield
    except Exception:  # noqa: BLE001 - whatever it is, what it tells is on the record
        keep_stderr()


def keep_stderr() -> None:
    """Let go of what stderr does not take. Python tries it again whenever a process is begun, which then fails, and at
    the end, with an exit code of its own."""
    try:
        sys.stderr.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stderr.fileno())
        os.close(nowhere)
