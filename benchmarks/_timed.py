"""`swe-agent batch` with timing: `python -m benchmarks._timed LOG ARGUMENT…`.

Writes a line of JSON for each instance, each container start and each run of tests: its kind, its id and its seconds,
the peak memory of this process so far in bytes, and the number of its fsync calls so far (without those of git).
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
from extensions.lab.batch import batch_driver, batch_worker
from extensions.lab.batch.executors.local import Local
from extensions.lab.instances.jobs import Job
from swe_agent import main

Answer = TypeVar("Answer")
START_MARK = "tests-begin-%s%N"
TESTS = re.compile(r"^\(cd (?=.*/command\.sh\)$)", re.MULTILINE)
"""The place where our command starts the tests; the preparation before it is not measured."""


class Clock:
    """Writes durations to the log, with the instance that the thread works on."""

    def __init__(self, log: str) -> None:
        self._log, self._lock = Path(log), Lock()
        self.current: dict[int, str] = {}
        self.fsyncs = 0

    def timed(self, kind: str, id: str, function: Callable[..., Answer], /, *args: Any, **kwargs: Any) -> Answer:
        """Call a function, log its duration and return its result."""
        began = time.time()
        try:
            return function(*args, **kwargs)
        finally:
            self.write(kind, id or self.current.get(get_ident(), ""), began, time.time())

    def write(self, kind: str, id: str, began: float, ended: float) -> None:
        line = {"what": kind, "id": id, "began": began, "seconds": ended - began, "thread": get_ident()}
        with self._lock, self._log.open("a") as file:
            file.write(json.dumps(line | {"memory": _memory(), "fsyncs": self.fsyncs}) + "\n")


def _memory() -> int:
    """Return the peak memory of this process in bytes; macOS reports bytes, Linux kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def instrument(clock: Clock) -> None:
    """Patch the program so that the clock measures instances, containers and tests."""
    work, solve, start, run = batch_worker.run_job, Local.solve, Daemon._start, PosixWorkspace.run

    def worked(job: Job, *args: Any) -> Any:
        clock.current[get_ident()] = job.instance.id
        return clock.timed("instance", "", work, job, *args)

    def solved(self: Local, job: Job, *args: Any) -> Any:
        return clock.timed("solve", "", solve, self, job, *args)

    def started(self: Daemon, *args: Any, **kwargs: Any) -> Any:
        return clock.timed("start", "", start, self, *args, **kwargs)

    def ran(self: PosixWorkspace, command: str, *args: Any, **kwargs: Any) -> Any:
        if not TESTS.search(command):
            return run(self, command, *args, **kwargs)
        result = run(self, TESTS.sub(rf"date +{START_MARK}; \g<0>", command), *args, **kwargs)
        began = re.search(rf"{START_MARK.replace('%s%N', '([0-9]+)')}\n".encode(), result.output)
        if not began:
            return result
        id = self.options.trees.path.parent.name  # the run's folder, since a proof may run two suites in other threads
        clock.write("tests", id, int(began[1]) / 1e9, time.time())
        return replace(result, output=result.output.replace(began[0], b"", 1))

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
    instrument(Clock(sys.argv[1]))
    sys.argv = ["swe-agent", "batch", *sys.argv[2:]]
    main()
