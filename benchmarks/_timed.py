"""`swe-agent batch` with a clock: `python -m benchmarks._timed LOG ARGUMENT…`.

A line of JSON for each instance, each container that was started and each run of tests: what, which, and its seconds;
with each also the most memory that this process has had so far, in bytes, and how often it has called fsync (git's own
calls are not seen).
"""

from __future__ import annotations

import json
import os
import re
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Lock, get_ident
from typing import Any, TypeVar

from aci.docker.docker_daemon import Daemon
from aci.runtime.posix_workspace import PosixWorkspace
from agent.batch import batch_driver, batch_worker
from agent.batch.executors.local import Local
from agent.instances.jobs import Job
from swe_agent import main

Answer = TypeVar("Answer")
BEGUN = "tests-begin-%s%N"
TESTS = re.compile(r"^\(cd (?=.*/command\.sh\)$)", re.MULTILINE)
"""Where a command of ours goes over to the tests themselves; what it does before to prepare them is no test."""


class Clock:
    """Writes what took how long, by the instance that the thread works for."""

    def __init__(self, log: str) -> None:
        self._log, self._lock = Path(log), Lock()
        self.current: dict[int, str] = {}
        self.fsyncs = 0

    def timed(self, what: str, id: str, do: Callable[..., Answer], *given: Any, **more: Any) -> Answer:
        began = time.time()
        try:
            return do(*given, **more)
        finally:
            self.write(what, id or self.current.get(get_ident(), ""), began, time.time())

    def write(self, what: str, id: str, began: float, ended: float) -> None:
        line = {"what": what, "id": id, "began": began, "seconds": ended - began, "thread": get_ident()}
        with self._lock, self._log.open("a") as file:
            file.write(json.dumps(line | {"memory": _memory(), "fsyncs": self.fsyncs}) + "\n")


def _memory() -> int:
    """The most that this process has had, in bytes; macOS counts these, Linux kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def watch(clock: Clock) -> None:
    """Have the clock see what counts."""
    work, solve, start, run = batch_worker.run_job, Local.solve, Daemon._start, PosixWorkspace.run

    def worked(job: Job, *more: Any) -> Any:
        clock.current[get_ident()] = job.instance.id
        return clock.timed("instance", "", work, job, *more)

    def solved(self: Local, job: Job, *more: Any) -> Any:
        return clock.timed("solve", "", solve, self, job, *more)

    def started(self: Daemon, *given: Any, **more: Any) -> Any:
        return clock.timed("start", "", start, self, *given, **more)

    def ran(self: PosixWorkspace, command: str, *given: Any, **more: Any) -> Any:
        if not TESTS.search(command):
            return run(self, command, *given, **more)
        told = run(self, TESTS.sub(rf"date +{BEGUN}; \g<0>", command), *given, **more)
        began = re.search(rf"{BEGUN.replace('%s%N', '([0-9]+)')}\n".encode(), told.output)
        if not began:
            return told
        id = self.options.trees.path.parent.name  # the run's folder: a proof may run two suites in threads of its own
        clock.write("tests", id, int(began[1]) / 1e9, time.time())
        return replace(told, output=told.output.replace(began[0], b"", 1))

    fsync = os.fsync

    def synced(descriptor: int) -> None:
        clock.fsyncs += 1
        fsync(descriptor)

    os.fsync = synced  # type: ignore[assignment]
    batch_driver.run_job = worked  # type: ignore[assignment, attr-defined]
    Local.solve = solved  # type: ignore[assignment, method-assign]
    Daemon._start = started  # type: ignore[method-assign]
    PosixWorkspace.run = ran  # type: ignore[method-assign]


if __name__ == "__main__":
    watch(Clock(sys.argv[1]))
    sys.argv = ["swe-agent", "batch", *sys.argv[2:]]
    main()
