"""The event stream: JSON lines with the records of runs as they become durable, and progress between them.

It is a view of the journals of this process's runs. `open_events` opens the stream of the process, and each run that is
open meanwhile publishes to it (`agent/engine/run_events.py`), whichever command started the run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING

from aci.observation.secret_masking import ReplyLines, mask_secrets
from agent.engine.run_events import error_parts, publishing_to
from extensions.events.event_lines import (
    DeltaLine,
    ErrorLine,
    Line,
    RecordLine,
    encode_line,
    progress_line,
)
from extensions.events.event_writer import EventWriter
from extensions.events.stream_target import STDOUT, open_target
from trajectories.errors import SweAgentError
from trajectories.records import Note, Record, Run, Turn, record_time
from trajectories.trajectory import ANEW

if TYPE_CHECKING:
    from agent.run_state.progress_event import ProgressEvent


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


@contextmanager
def open_events(target: str, deltas: bool = False, folder: str = "") -> Iterator[None]:
    """Write the events of all runs of this process to the file `target` in this context; lines are added to a file that
    exists. `-` is stdout, which then has nothing else: other output goes to stderr.

    Errors that the context raises are part of the stream too. Raises UsageError if the file cannot be opened, or if it
    would be one of the files that a run starts from: those of its git repository, or of `folder`, which the command
    opens.
    """
    with open_target(target, folder) as descriptor:
        stream = EventStream(EventWriter(descriptor, "stdout" if target == STDOUT else target), deltas)
        try:
            with publishing_to(stream):
                yield
        except (SweAgentError, OSError) as error:
            stream.error("", *error_parts(error))
            raise
        finally:
            stream.close()
