"""The journal: a run's one source of truth, append-only, one record a line, durable in order.

Full outputs lie beside it under `out/` and are on disk before the record that names them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any

from trajectories.errors import RunBroken, TryLater, UsageError, WorkspaceError
from trajectories.plumbing import sync_folder
from trajectories.records import Record, Run
from trajectories.trajectory import Trajectory

if TYPE_CHECKING:
    from filelock import FileLock
    from pydantic import TypeAdapter


@cache
def _adapter() -> TypeAdapter[Any]:
    from pydantic import Field, TypeAdapter

    return TypeAdapter(Annotated[Record, Field(discriminator="type")])


def encode(record: Record) -> bytes:
    """One line of the journal. What is not Unicode (half a surrogate pair from a model) is replaced."""
    return json.dumps(asdict(record), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"


def decode(line: bytes) -> Record:
    """The record of a line. Raises ValueError for anything else."""
    record: Record = _adapter().validate_python(json.loads(line))
    return record


def _parse(data: bytes, path: Path) -> tuple[list[Record], int]:
    """The whole records in `data` and how many bytes they take; a torn last line is left out."""
    records: list[Record] = []
    end = 0
    for number, line in enumerate(_lines(data), 1):
        try:
            if not line.endswith(b"\n"):
                raise ValueError("torn")
            records.append(decode(line))
        except ValueError as error:
            if end + len(line) == len(data):
                break
            raise RunBroken(
                f"Line {number} of {path} is damaged, and more follow it.", "Restore the file from a copy."
            ) from error
        end += len(line)
    return records, end


def _lines(data: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        stop = data.find(b"\n", start) + 1 or len(data)
        yield data[start:stop]
        start = stop


def read(directory: Path) -> Trajectory:
    """The run as it stands on disk, also while another process writes it. Raises UsageError where there is none."""
    path = directory / "journal.jsonl"
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"There is no run in {directory}.", "`swe-agent runs` lists the runs there are.") from None
    return Trajectory(_parse(data, path)[0])


def begun(directory: Path) -> bool:
    """Whether the first records of a run lie there whole."""
    try:
        trajectory = read(directory)
    except UsageError:
        return False
    return trajectory.run is not None and bool(trajectory.turns)


class Journal:
    """A run that this process writes; safe to share between threads. Raises TryLater when another process has it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "journal.jsonl"
        self.outputs = directory / "out"
        try:
            self.outputs.mkdir(parents=True, exist_ok=True, mode=0o700)
            directory.chmod(0o700)
        except OSError as error:
            raise _no_room(directory, error) from error
        self._file_lock = locked(directory)
        try:
            self._open()
        except BaseException:
            self._file_lock.release()
            raise

    def _open(self) -> None:
        data = self.path.read_bytes() if self.path.exists() else b""
        records, end = _parse(data, self.path)
        self.trajectory = Trajectory(records)
        self._lock = Lock()
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        if end < len(data):
            os.ftruncate(self._file, end)
            os.fsync(self._file)
        sync_folder(self.directory)
        self._next_output = 1 + max((int(f.name) for f in self.outputs.iterdir() if f.name.isdigit()), default=0)

    def append(self, *records: Record) -> None:
        """Write the records, in order, and return when they are on disk.

        Raises WorkspaceError when they cannot be; ValueError or TypeError, with nothing written, for what is no record.
        """
        lines = [encode(record) for record in records]
        read_back = [decode(line) for line in lines]  # what could not be read again is not written
        with self._lock:
            try:
                append_durably(self._file, b"".join(lines))
            except OSError as error:
                raise _no_room(self.path, error) from error
            for record in read_back:
                self.trajectory.add(record)

    def keep(self, output: bytes) -> int:
        """Store a full output and return its address; on disk when this returns."""
        with self._lock:
            number = self._next_output
            self._next_output += 1
        target = self.outputs / str(number)
        try:
            write_durably(target, output)
        except OSError as error:
            raise _no_room(target, error) from error
        return number

    def recall(self, number: int) -> bytes:
        """The output at `out:number`. Raises FileNotFoundError where there is none."""
        return (self.outputs / str(number)).read_bytes()

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            self._file_lock.release()


def locked(directory: Path) -> FileLock:
    """The lock of a run's folder, held until it is released. Raises TryLater when another process has it."""
    what = f"Another process is working on the run {directory.name}."
    return hold(directory / "lock", what, "Wait for it, or stop it, then try again.")


def hold(path: Path, message: str, fix: str) -> FileLock:
    """A lock between processes at `path`, held until it is released, by whatever thread.

    Raises TryLater, in these words, when another process has it; OSError where the file cannot be made.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise TryLater(message, fix) from None
    return lock


def first_record(trajectory: Trajectory, directory: Path) -> Run:
    """The record every run begins with. Raises RunBroken where a crash came before it was whole."""
    if trajectory.run is None or not trajectory.turns:
        raise RunBroken(f"The run {directory.name} was not begun.", "Start it again with `swe-agent fix`.")
    return trajectory.run


def append_durably(descriptor: int, data: bytes) -> None:
    """Add `data` to an open file, whole and on disk when this returns, or not at all. Raises OSError."""
    end = os.fstat(descriptor).st_size
    try:
        write_whole(descriptor, data)
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, end)
        raise


def write_durably(target: Path, data: bytes) -> None:
    """Make `target` hold `data`, whole and on disk when this returns, or as it was before. Raises OSError."""
    beside = target.with_name(f".{target.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        write_whole(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    beside.replace(target)
    sync_folder(target.parent)


def _no_room(path: Path, error: OSError) -> WorkspaceError:
    return WorkspaceError(f"{path} cannot be written: {error.strerror}.", "Make room, then resume the run.")


def write_whole(descriptor: int, data: bytes) -> None:
    """Write all of it, in as many parts as it takes. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
