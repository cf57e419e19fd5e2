"""The event stream: JSON lines with the records of runs as they become durable, and progress between them.

It is a view of the journals of this process's runs. `open_events` opens the stream of the process, and each run that is
open meanwhile publishes to it (`RunEvents`), whichever command started the run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from aci.observation.output_text import mask_secrets
from agent.events.event_lines import (
    DeltaLine,
    ErrorLine,
    Line,
    RecordLine,
    encode_line,
    progress_line,
)
from agent.events.event_writer import EventWriter
from agent.events.reply_lines import ReplyLines
from agent.events.stream_target import STDOUT, open_target
from trajectories.errors import SweAgentError, WorkspaceError
from trajectories.journal import Lines
from trajectories.records import Note, Record, Run, Turn, record_time
from trajectories.trajectory import ANEW

if TYPE_CHECKING:
    from agent.run_state.progress_event import ProgressEvent
    from trajectories.journal import Journal


@dataclass(frozen=True, slots=True)
class Label:
    """The job of a batch to which a run belongs."""

    instance: str
    repeat: int


class EventStream:
    """A stream of the events of several runs. Thread-safe."""

    def __init__(self, writer: EventWriter, deltas: bool = False) -> None:
        """With `deltas`, the stream also has the text of replies while it arrives."""
        self._writer, self._deltas = writer, deltas
        self._lock = Lock()
        self._published: dict[str, int] = {}
        """Number of records of each run that are in the stream, or were on disk before it began."""
        self._labels: dict[str, Label] = {}
        self._replies: dict[tuple[str, str], ReplyLines] = defaultdict(ReplyLines)

    def label(self, run: str, instance: str, repeat: int) -> None:
        """Name the job of a batch in all further lines of a run."""
        with self._lock:
            self._labels[run] = Label(instance, repeat)

    def publish(self, run: str, records: Sequence[Record], opened: int) -> None:
        """Write those of the run's `records` that are not in the stream yet; all of them are on disk. The first
        `opened` ones were there when this process opened the run."""
        with self._guard():
            count = len(records)
            known = self._published.get(run)
            first = _first_records(records[:opened]) if known is None else []
            self._published[run] = count
            for record in (*first, *records[opened if known is None else known : count]):
                self._write(RecordLine(at=record.at, run=run, type=record.type, record=record))

    def progress(self, run: str, event: ProgressEvent, secrets: Sequence[str] = ()) -> None:
        """Write a progress event of a run, with secrets masked."""
        with self._guard():
            if self._deltas:
                self._write_reply(run, event, secrets)
            line = progress_line(record_time(), run, event, secrets)
            if line is not None and not isinstance(line, DeltaLine):
                self._write(line)

    def error(self, run: str, code: int, message: str, fix: str = "", secrets: Sequence[str] = ()) -> None:
        """Write the error that stopped a run, or that prevented one (`run` is ""), with secrets masked."""
        with self._guard():
            message, fix = mask_secrets(message, secrets), mask_secrets(fix, secrets)
            self._write(ErrorLine(at=record_time(), run=run, code=code, message=message, fix=fix))

    def close(self) -> None:
        """Write what is queued."""
        self._writer.close()

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """Hold the lock. A failure in this context ends the stream and not the run, whose record is on disk already."""
        with self._lock:
            try:
                yield
            except Exception as error:  # noqa: BLE001 - any failure
                self._writer.fail(f"internal error: {type(error).__name__}: {error}")

    def _write_reply(self, run: str, event: ProgressEvent, secrets: Sequence[str]) -> None:
        """Write the lines of a reply that are complete."""
        reply = self._replies[run, event.branch]
        text = ""
        if event.kind == "delta":
            text = reply.add(event.text, secrets)
        elif event.kind == "replied":
            text = reply.finish(secrets)
        elif event.kind == "ask":
            self._replies[run, event.branch] = ReplyLines()  # the last request may have failed
        if text:
            self._write(DeltaLine(at=record_time(), run=run, branch=event.branch, text=text))

    def _write(self, line: Line) -> None:
        if label := self._labels.get(line.run):
            line = replace(line, instance=label.instance, repeat=label.repeat)
        self._writer.write(encode_line(line))


def _first_records(records: Sequence[Record]) -> list[Record]:
    """Return the records with which the stream of a run begins: all of a new run, else its `run` and last `turn`."""
    is_new = all(
        isinstance(record, Run | Turn) or (isinstance(record, Note) and record.kind not in ANEW) for record in records
    )
    if is_new:
        return list(records)
    first = [record for record in records if isinstance(record, Run)]
    return [*first, *[record for record in records if isinstance(record, Turn)][-1:]]


_current: EventStream | None = None


def current_stream() -> EventStream | None:
    """Return the stream of this process, if the user asked for one."""
    return _current


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
            self._stream.error(self._run, *_parts(error), self._secrets())


class JournalFollower:
    """Publishes the records that another process adds to a run's journal on this disk."""

    def __init__(self, directory: Path) -> None:
        self._stream, self._run = current_stream(), directory.name
        self._lines = Lines(directory / "journal.jsonl")
        self._records: list[Record] = []
        if self._stream:
            self._read()
        self._opened = len(self._records)

    def publish(self) -> None:
        """Publish the records that are new since the last call."""
        if self._stream:
            self._read()
            self._stream.publish(self._run, self._records, self._opened)

    def _read(self) -> None:
        with suppress(SweAgentError):  # whoever needs the records reports that they cannot be read
            self._records.extend(self._lines.new())


def _parts(error: SweAgentError | OSError) -> tuple[int, str, str]:
    """Return the exit code, the message and the fix of an error."""
    if isinstance(error, SweAgentError):
        return error.code, error.message, error.fix
    return WorkspaceError.code, f"This machine failed: {error.strerror or error}.", "Fix it, then try again."


@contextmanager
def open_events(target: str, deltas: bool = False, folder: str = "") -> Iterator[None]:
    """Write the events of all runs of this process to the file `target` in this context; lines are added to a file that
    exists. `-` is stdout, which then has nothing else: other output goes to stderr.

    Errors that the context raises are part of the stream too. Raises UsageError if the file cannot be opened, or if it
    would be one of the files that a run starts from: those of its git repository, or of `folder`, which the command
    opens.
    """
    global _current
    with open_target(target, folder) as descriptor:
        _current = stream = EventStream(EventWriter(descriptor, "stdout" if target == STDOUT else target), deltas)
        try:
            yield
        except (SweAgentError, OSError) as error:
            stream.error("", *_parts(error))
            raise
        finally:
            _current = None
            stream.close()
