"""A display whose failures, such as a closed terminal or a full disk, do not affect the batch."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from agent.run_state.progress_event import ProgressEvent
from extensions.lab.instances.jobs import Job, JobResult
from trajectories.records import Step

if TYPE_CHECKING:
    from extensions.lab.batch.batch_worker import BatchDisplay


class FaultTolerantDisplay:
    """A wrapper of `front` that never raises; implements `BatchDisplay`."""

    def __init__(self, front: BatchDisplay) -> None:
        self._front = front

    def __enter__(self) -> FaultTolerantDisplay:
        with _quiet():
            self._front.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        with _quiet():
            self._front.__exit__(kind, value, at)

    def began(self, jobs: Sequence[Job], done: Sequence[JobResult] = ()) -> None:
        with _quiet():
            self._front.began(jobs, done)

    def started(self, job: Job, image: str) -> None:
        with _quiet():
            self._front.started(job, image)

    def step(self, job: Job, step: Step, dollars: float | None) -> None:
        with _quiet():
            self._front.step(job, step, dollars)

    def happening(self, job: Job, event: ProgressEvent) -> None:
        with _quiet():
            self._front.happening(job, event)

    def done(self, done: JobResult) -> None:
        with _quiet():
            self._front.done(done)

    def say(self, text: str) -> None:
        with _quiet():
            self._front.say(text)


@contextmanager
def _quiet() -> Iterator[None]:
    try:
        yield
    except Exception:  # noqa: BLE001 - everything that it shows is recorded as well
        discard_stderr()


def discard_stderr() -> None:
    """Discard output that stderr does not accept.

    Otherwise Python retries the flush when it starts a process, so that the start fails, and at exit, so that the exit
    code changes.
    """
    try:
        sys.stderr.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stderr.fileno())
        os.close(nowhere)
