"""The journal: a run's one source of truth, append-only, one record a line, durable in order.

Full outputs lie beside it under `out/` and are on disk before the record that names them.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import is_dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

from trajectories.errors import NewerRun, RunBroken, TryLater, UsageError, WorkspaceError
from trajectories.journal_digest import JournalDigest, digest_of, known_lines
from trajectories.limits import count_values, open_regular, read_limited
from trajectories.migrations import check_not_newer, goes_on, migrated, version_after, version_of
from trajectories.plumbing import make_folder, sync_folder
from trajectories.records import VERSION, Note, Record, Run
from trajectories.trajectory import Trajectory

if TYPE_CHECKING:
    from filelock import FileLock
    from pydantic import TypeAdapter


MOST_BYTES, MOST_RECORDS, MOST_VALUES = 1 << 30, 500_000, 50_000_000
"""Of a journal that is read, which another person may have written: a step makes some five records."""
JOINED = "joined"
"""Said on disk by a record that was written together with the one before it."""
_JOINED = re.compile(rb'"joined":true,"type":"[a-z]+"}\n?\Z')


@cache
def adapter() -> TypeAdapter[Any]:
    from pydantic import Field, TypeAdapter

    return TypeAdapter(Annotated[Record, Field(discriminator="type")])


def _fields(value: object) -> dict[str, Any]:
    if not is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"{type(value).__name__} is no JSON")
    return {field: getattr(value, field) for field in type(value).__dataclass_fields__}


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_fields)


def encode(record: Record, joined: bool = False) -> bytes:
    """One line of the journal. What is not Unicode (half a surrogate pair from a model) is replaced.

    Raises ValueError or TypeError for what is not JSON.
    """
    line = _fields(record)
    if joined:
        line |= {JOINED: True, "type": line.pop("type")}  # what a record is stands last in every line
    return _ENCODER.encode(line).encode("utf-8", "replace") + b"\n"


def decode(line: bytes) -> Record:
    """The record of a line of today's version. Raises ValueError for anything else."""
    record: Record = adapter().validate_json(line)
    return record


def never(line: bytes) -> bool:
    return False


def open_journal(path: Path) -> BinaryIO:
    """Open a journal for reading. Raises OSError, and RunBroken if it is larger than the journal of any run."""
    file = open_regular(path, inside=path.parent)
    if os.fstat(file.fileno()).st_size > MOST_BYTES:
        file.close()
        raise _too_large(path, f"{MOST_BYTES:,} bytes")
    return file


def _too_large(path: Path, limit: str) -> RunBroken:
    return RunBroken(f"{path} has more than {limit}, so it is not read.", "Check where this run comes from.")


class Lines:
    """Reads a journal line by line, also one that grows. `version` is that of the lines to come, `end` the bytes and
    `count` the number of the whole records."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.version = 0
        self.end = 0
        self.count = 0
        self._values = 0

    def new(self, skip: Callable[[bytes], bool] = never) -> Iterator[Record]:
        """Those that the file has got since the last look. Raises UsageError where there is no file, WorkspaceError for
        one that cannot be read, and as `records` does."""
        try:
            with open_journal(self.path) as file:
                file.seek(self.end)
                yield from self.records(file, skip)
        except FileNotFoundError:
            what = f"There is no run in {self.path.parent}."
            raise UsageError(what, "`swe-agent runs` lists the runs there are.") from None
        except OSError as error:
            raise _unread(self.path, error) from error

    def records(self, file: Iterable[bytes], skip: Callable[[bytes], bool] = never) -> Iterator[Record]:
        """The whole records, but for lines to `skip`. What a crash left of the last write is left out; damage before
        it is RunBroken."""
        lines = iter(file)
        for line in lines:
            if not line.endswith(b"\n"):
                return  # torn, or being written: what the file gives behind it came since
            if skip(line):
                self._have(line)
                continue
            try:
                record = self._record(line)
            except (ValueError, RecursionError) as error:
                if _is_unfinished(line, lines):
                    return
                what = f"Line {self.count + 1} of {self.path} is damaged, and more follow it."
                raise RunBroken(what, "Restore the file from a copy.") from error
            self._have(line)
            yield record

    def _have(self, line: bytes) -> None:
        self.count += 1
        self.end += len(line)
        if self.count > MOST_RECORDS:
            raise _too_large(self.path, f"{MOST_RECORDS:,} records")

    def _record(self, line: bytes) -> Record:
        self._values += count_values(line)
        if self._values > MOST_VALUES:
            raise _too_large(self.path, f"{MOST_VALUES:,} values")
        if not self.version:
            self._set(version_of(json.loads(line)))
        if self.version == VERSION:
            record = decode(line)
        else:
            record = adapter().validate_python(migrated(json.loads(line), self.version))
        if isinstance(record, Note):
            self._set(version_after(record, self.version))
        return record

    def _set(self, version: int) -> None:
        check_not_newer(version, self.path.parent.name)
        self.version = version


def _is_unfinished(damaged: bytes, after: Iterator[bytes]) -> bool:
    """Whether no record behind the damage was ever reported as written.

    It is the last line, or parts of the last write never reached the disk: they read as zeros, which no line holds,
    and all that follows was written together with them, the last line perhaps in part.
    """
    is_torn = b"\0" in damaged
    return all(is_torn and (b"\0" in line or _JOINED.search(line) or not line.endswith(b"\n")) for line in after)


def records(directory: Path) -> Iterator[Record]:
    """The records of a run one by one, also while another process writes it.

    Raises UsageError where there is none, RunBroken for a damaged one, WorkspaceError for one that cannot be read,
    NewerRun.
    """
    yield from Lines(directory / "journal.jsonl").new()


def is_as_written(directory: Path, digest: Path) -> bool:
    """Whether the run's journal holds what its digest file says; what a crash left of the last write does not count.
    Raises OSError for a journal that cannot be read, and as `records` does."""
    known = known_lines(digest)
    with open_journal(directory / "journal.jsonl") as file:
        size = os.fstat(file.fileno()).st_size
        if size not in known:
            lines = Lines(directory / "journal.jsonl")
            for _ in lines.new():
                pass
            size = lines.end
        return size in known and digest_of(file, size) == known[size]


def read(directory: Path) -> Trajectory:
    """The run as it stands on disk. Raises as `records` does."""
    return Trajectory(records(directory))


def begun(directory: Path) -> bool:
    """Whether the first records of a run lie there whole. Raises RunBroken and NewerRun."""
    try:
        trajectory = read(directory)
    except NewerRun:
        raise
    except UsageError:
        return False
    return trajectory.run is not None and bool(trajectory.turns)


class Journal:
    """A run that this process writes; safe to share between threads. Raises TryLater when another process has it."""

    def __init__(self, directory: Path, digest: Path | None = None) -> None:
        """`digest` is the file in which the journal's digest is kept, if any."""
        self.directory = directory
        self._digest_path = digest
        self.path = directory / "journal.jsonl"
        self.outputs = directory / "out"
        try:
            make_folder(directory, 0o700)
            make_folder(self.outputs, 0o700)
            directory.chmod(0o700)
            self._file_lock = locked(directory)
        except OSError as error:
            raise _unwritten(directory, error) from error
        try:
            self._open()
        except OSError as error:
            self._file_lock.release()
            raise _unwritten(self.path, error) from error
        except BaseException:
            self._file_lock.release()
            raise

    def _open(self) -> None:
        lines = Lines(self.path)
        try:
            with open_journal(self.path) as file:
                self.trajectory = Trajectory(lines.records(file))
        except FileNotFoundError:
            self.trajectory = Trajectory()
        except OSError as error:
            raise _unread(self.path, error) from error
        self._lock = Lock()
        self._end = lines.end
        self._next_output = 1 + max((int(f.name) for f in self.outputs.iterdir() if f.name.isdigit()), default=0)
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        os.ftruncate(self._file, self._end)
        os.fsync(self._file)  # also of what a process wrote that was killed before it did so
        sync_folder(self.directory)
        self._digest = JournalDigest(self._digest_path, self.path, self._end) if self._digest_path else None
        if 0 < lines.version < VERSION:
            self.append(goes_on())

    def append(self, *records: Record) -> None:
        """Write the records, in order, and return when they are on disk.

        Raises WorkspaceError when they cannot be; ValueError or TypeError, with nothing written, for what is no record.
        """
        lines = [encode(record, joined=number > 0) for number, record in enumerate(records)]
        read_back = [decode(line) for line in lines]  # what could not be read again is not written
        with self._lock:
            try:
                if os.fstat(self._file).st_size > self._end:  # of a write that failed, and could not be taken back
                    os.ftruncate(self._file, self._end)
                self._append(b"".join(lines))
            except OSError as error:
                raise _unwritten(self.path, error) from error
            self._end += sum(map(len, lines))
            for record in read_back:
                self.trajectory.add(record)

    def _append(self, data: bytes) -> None:
        if self._digest is None:
            append_durably(self._file, data)
            return
        with self._digest.extended(data):
            append_durably(self._file, data)

    def keep(self, output: bytes) -> int:
        """Store a full output and return its address; on disk when this returns."""
        with self._lock:
            number = self._next_output
            self._next_output += 1
        target = self.outputs / str(number)
        try:
            write_durably(target, output)
        except OSError as error:
            raise _unwritten(target, error) from error
        return number

    def recall(self, number: int) -> bytes:
        """The output at `out:number`. Raises FileNotFoundError where there is none, RunBroken for what is no number,
        UsageError where it is too large."""
        if type(number) is not int:  # as somebody else may have recorded it: joined to a path, it could name any file
            raise RunBroken(
                f"{str(number)[:60]!r} in the record of {self.directory.name} is not the number of an output."
            )
        return read_limited(self.outputs / str(number), inside=self.directory)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            if self._digest:
                self._digest.close()
            self._file_lock.release()


def locked(directory: Path) -> FileLock:
    """The lock of a run's folder, held until it is released. Raises TryLater when another process has it, OSError
    where there is no such folder, RunBroken as `hold` does."""
    if not directory.is_dir():  # removed meanwhile; a lock makes the folder it lies in
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(directory))
    what = f"Another process is working on the run {directory.name}."
    return hold(directory / "lock", what, "Wait for it, or stop it, then try again.")


def hold(path: Path, message: str, fix: str) -> FileLock:
    """A lock between processes at `path`, held until it is released, by whatever thread.

    Raises TryLater, in these words, when another process has it; OSError where the file cannot be made; RunBroken where
    it is another file, which locking would empty.
    """
    from filelock import FileLock, Timeout

    with suppress(FileNotFoundError):
        about = path.lstat()
        if not stat.S_ISREG(about.st_mode) or about.st_size:
            raise RunBroken(f"{path} is not a lock of swe-agent.", "Check what it is, and remove it.")
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
        os.fsync(descriptor)
        raise


def write_durably(target: Path, data: bytes) -> None:
    """Make `target` hold `data`, whole and on disk when this returns, or as it was before. A link is replaced, and what
    it leads to stays. Raises OSError."""
    beside = target.with_name(f".{target.name}.new")
    try:
        descriptor = open_new(beside)
        try:
            write_whole(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        beside.replace(target)
    except OSError:
        beside.unlink(missing_ok=True)  # half of it would take the room that is missing
        raise
    sync_folder(target.parent)


def open_new(path: Path) -> int:
    """Open a new file to write in the place of any other, which a crash left, or of a link. Raises OSError."""
    path.unlink(missing_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _unread(path: Path, error: OSError) -> WorkspaceError:
    return WorkspaceError(f"{path} cannot be read: {error.strerror}.", "See that it is a file that you may read.")


def _unwritten(path: Path, error: OSError) -> WorkspaceError:
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        fix = "Make it writable for you, or set SWE_AGENT_STATE to a folder of yours."
    elif error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        fix = "Make room, then resume the run."
    else:
        fix = "See what is wrong with that disk, then resume the run."
    return WorkspaceError(f"{path} cannot be written: {error.strerror}.", fix)


def write_whole(descriptor: int, data: bytes) -> None:
    """Write all of it, in as many parts as it takes. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
