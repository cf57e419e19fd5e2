"""What a run publishes to the event stream of this process: the records of its journal, progress and errors.

An extension opens the stream (`--events`), and each run that is open meanwhile publishes to it, whichever command
started the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from trajectories.errors import SweAgentError, WorkspaceError

if TYPE_CHECKING:
    from agent.run_state.progress_event import ProgressEvent
    from trajectories.journal import Journal
    from trajectories.records import Record


class EventStream(Protocol):
    """A stream of the events of several runs. Thread-safe."""

    def label(self, run: str, instance: str, repeat: int) -> None:
        """Name the job of a batch in all further lines of a run."""

    def publish(self, run: str, records: Sequence[Record], opened: int) -> None:
        """Write those of the run's `records` that are not in the stream yet; all of them are on disk. The first
        `opened` ones were there when this process opened the run."""

    def progress(self, run: str, event: ProgressEvent, secrets: Sequence[str] = ()) -> None:
        """Write a progress event of a run, with secrets masked."""

    def error(self, run: str, code: int, message: str, fix: str = "", secrets: Sequence[str] = ()) -> None:
        """Write the error that stopped a run, or that prevented one (`run` is ""), with secrets masked."""


_current: EventStream | None = None


def current_stream() -> EventStream | None:
    """Return the stream of this process, if the user asked for one."""
    return _current


@contextmanager
def publishing_to(stream: EventStream) -> Iterator[None]:
    """Make a stream that of this process in this context."""
    global _current
    _current = stream
    try:
        yield
    finally:
        _current = None


class RunEvents:
    """The part of one run in the process's event stream; does nothing if there is none."""

    def __init__(self, run: str, journal: Journal, secrets: Callable[[], Sequence[str]]) -> None:
        """Publish what is appended to the journal from now on. `secrets` returns what is masked."""
        self._stream, self._run, self._secrets = current_stream(), run, secrets
        self._records = journal.trajectory.records
        self._opened = len(self._records)
        self.has_errors = True
        """Whether the stream gets the errors that stop the run from here; a batch writes those of its runs itself."""
        if self._stream:
            journal.on_append = self.publish

    def publish(self) -> None:
        """Publish the records that are new, and first those with which the stream of the run begins."""
        if self._stream:
            self._stream.publish(self._run, self._records, self._opened)

    def progress(self, event: ProgressEvent) -> None:
        if self._stream:
            self._stream.progress(self._run, event, self._secrets())

    def error(self, error: SweAgentError | OSError) -> None:
        if self._stream and self.has_errors:
            self._stream.error(self._run, *error_parts(error), self._secrets())


def error_parts(error: SweAgentError | OSError) -> tuple[int, str, str]:
    """Return the exit code, the message and the fix of an error."""
    if isinstance(error, SweAgentError):
        return error.code, error.message, error.fix
    return WorkspaceError.code, f"This machine failed: {error.strerror or error}.", "Fix it, then try again."
