"""The local executor: candidates are validated in the calling threads, in the open workspace and forks of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING

from extensions.lab.instances.jobs import ExecutorOptions
from extensions.lab.synthesis.candidate import Candidate
from extensions.lab.synthesis.candidate_validation import Validation, Validator, prepare
from extensions.lab.synthesis.validation_executor import ValidationInput
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from aci.runtime.workspace import Workspace


MOST_WORKERS = 64


class Local:
    def __init__(self, options: ExecutorOptions) -> None:
        self._options = options
        self._forks: list[Workspace] = []
        self._idle: SimpleQueue[Validator] = SimpleQueue()

    def start(self, given: ValidationInput) -> None:
        self._source = source = given.source
        for _ in range(self._options.workers - 1):
            self._forks.append(given.workspace.fork(source.tree))
            prepare(self._forks[-1])
        for workspace in (given.workspace, *self._forks):
            self._idle.put(Validator(workspace, source.trees, source.tree, given.base))

    def validate(self, candidate: Candidate) -> Validation:
        nearest = self._source.nearest_tests(candidate)
        with self._worker() as worker:
            return worker.validate(candidate, nearest)

    def is_repaired(self, candidate: Candidate, validation: Validation, text: str) -> bool:
        with self._worker() as worker:
            return worker.is_repaired(candidate, validation, text, self._options.cancel)

    @contextmanager
    def _worker(self) -> Iterator[Validator]:
        worker = self._idle.get()
        try:
            yield worker
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        for fork in self._forks:
            fork.close()


def open(options: ExecutorOptions) -> Local:
    """Open the executor. Raises UsageError if there are options, since it has none, or too many workers."""
    if options.more:
        raise UsageError("The engine local has no options.", "Leave --engine-option out, or give --engine ray.")
    if options.workers > MOST_WORKERS:
        raise UsageError(
            f"The engine local has at most {MOST_WORKERS} workers.", "Give a smaller --workers, or --engine ray."
        )
    return Local(options)
