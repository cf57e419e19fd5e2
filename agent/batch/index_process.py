"""Code graphs and histories are made in a process of their own, so that the threads that solve only read them.

Making them is Python at work, which one process does for one thread at a time. A helper that dies, fails or hangs costs
nothing but speed: what is missing is made by the run that asks.
"""

from __future__ import annotations

import signal
from collections import OrderedDict
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING

from trajectories.errors import Cancelled, SweAgentError
from trajectories.records import Issue

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

REMEMBERED = 1_000
MOST_DEATHS = 3
"""A helper that died so often is not started again."""
LONGEST = 300.0
"""Seconds; a helper that takes longer has died, whatever it looks like."""
TICK = 0.1
ANY = Issue("Nothing in particular")
"""What is made is the same for every issue."""


class Indexing:
    """Safe for threads. Close it in the end."""

    def __init__(self) -> None:
        self._line = ThreadPoolExecutor(1, "indexing")
        self._known: OrderedDict[tuple[Path, str], Future[None]] = OrderedDict()
        self._lock = Lock()
        self._helper: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._deaths = 0
        self._closed = False

    def ahead(self, repository: Path, base: str) -> Future[None]:
        """Have it made, without waiting for it."""
        with self._lock:
            key = repository, base
            if key not in self._known:
                self._known[key] = self._line.submit(self._make, repository, base)
                while len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
            return self._known[key]

    def ready(self, repository: Path, base: str, cancel: Event) -> None:
        """Return when the graph of commit `base`, and what lies before it, are in the user's cache, or cannot be.

        Raises Cancelled when stopped while it waits.
        """
        future = self.ahead(repository, base)
        while not future.cancelled():
            with suppress(TimeoutError, CancelledError):
                future.result(TICK)
                return
            if cancel.is_set():
                raise Cancelled("The batch was stopped.")

    def _make(self, repository: Path, base: str) -> None:
        if self._deaths >= MOST_DEATHS or self._closed:
            return
        try:
            pipe = self._started()
            if self._closed:
                return
            pipe.send((str(repository), base))
            if not pipe.poll(LONGEST):
                raise EOFError
            pipe.recv()
        except (EOFError, OSError):
            self._deaths += 1
            self._end()

    def _started(self) -> Connection:
        if self._pipe is None:
            context = get_context("spawn")
            self._pipe, theirs = context.Pipe()
            helper = context.Process(target=serve, args=(theirs,), name="indexing", daemon=True)
            helper.start()
            self._helper = helper  # started, as one that is not cannot be killed
            theirs.close()
        return self._pipe

    def _end(self) -> None:
        if self._helper is not None:
            self._helper.kill()
            self._helper.join()
            self._helper = None
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None

    def close(self) -> None:
        """End the helper, whatever it is doing: what it has made is kept."""
        self._closed = True
        self._line.shutdown(wait=False, cancel_futures=True)
        if self._helper is not None:
            self._helper.kill()
        self._line.shutdown(wait=True)
        self._end()


def serve(pipe: Connection) -> None:
    """The helper's life: until the driver is gone. An interrupt from the terminal is for the driver."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, OSError):
        while True:
            repository, base = pipe.recv()
            with suppress(SweAgentError, OSError, ValueError):
                index(Path(repository), base)
            pipe.send(True)


def index(repository: Path, base: str) -> None:
    """Make what `aci/locating.py` asks of a commit: the graph of its tree, and the history before it."""
    from aci.locating import Before, located
    from aci.repository import Repository

    source = Repository.open(repository)
    with source.blobs(base) as blobs:
        located(blobs, ANY, Before(source.git_dir, source.commit(base)))
