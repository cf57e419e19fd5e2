"""A helper process that builds code graphs and histories, so that the solving threads only read them.

Building them is CPU-bound Python, which would block the other threads of the process. If the helper dies, fails or
hangs, the batch only becomes slower, because each run builds the indexes that are missing.
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
"""Number of deaths after which the helper is not started again."""
LONGEST = 300.0
"""Maximum number of seconds for one index; a helper that takes longer is considered dead."""
TICK = 0.1
ANY = Issue("Nothing in particular")
"""A placeholder issue, since the graph and the history do not depend on the issue."""


class GraphIndexer:
    """Builds indexes in a helper process. Thread-safe. Must be closed."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, "indexing")
        self._futures: OrderedDict[tuple[Path, str], Future[None]] = OrderedDict()
        self._lock = Lock()
        self._helper: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._deaths = 0
        self._closed = False

    def ahead(self, repository: Path, base: str) -> Future[None]:
        """Start building the index of a commit without waiting for it."""
        with self._lock:
            key = repository, base
            if key not in self._futures:
                self._futures[key] = self._executor.submit(self._make, repository, base)
                while len(self._futures) > REMEMBERED:
                    self._futures.popitem(last=False)
            return self._futures[key]

    def ready(self, repository: Path, base: str, cancel: Event) -> None:
        """Wait until the graph and the history of commit `base` are in the user's cache, or building them has failed.

        Raises Cancelled when stopped while waiting.
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
            pipe = self._open_pipe()
            if self._closed:
                return
            pipe.send((str(repository), base))
            if not pipe.poll(LONGEST):
                raise EOFError
            pipe.recv()
        except (EOFError, OSError):
            self._deaths += 1
            self._end()

    def _open_pipe(self) -> Connection:
        if self._pipe is None:
            context = get_context("spawn")
            self._pipe, theirs = context.Pipe()
            helper = context.Process(target=serve, args=(theirs,), name="indexing", daemon=True)
            helper.start()
            self._helper = helper  # only a started process can be killed
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
        """Kill the helper; finished indexes stay in the cache."""
        self._closed = True
        self._executor.shutdown(wait=False, cancel_futures=True)
        if self._helper is not None:
            self._helper.kill()
        self._executor.shutdown(wait=True)
        self._end()


def serve(pipe: Connection) -> None:
    """Serve requests in the helper process until the driver is gone; ignore interrupts, which the driver handles."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, OSError):
        while True:
            repository, base = pipe.recv()
            with suppress(SweAgentError, OSError, ValueError):
                index(Path(repository), base)
            pipe.send(True)


def index(repository: Path, base: str) -> None:
    """Build what localization needs for a commit: the graph of its tree, and the history before it."""
    from aci.localization.issue_localization import HistoryBase, localize_issue
    from aci.repository.user_repository import Repository

    source = Repository.open(repository)
    with source.blobs(base) as blobs:
        localize_issue(blobs, ANY, HistoryBase(source.git_dir, source.commit(base)))
