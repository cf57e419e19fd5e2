"""The journal, a run's single source of truth: an append-only file with one record per line, written to disk in order.

Full outputs are stored beside it in `out/` and are on disk before the record that names them.

Digest files, kept outside of the run's folder, show whether a journal is unchanged since the user's own processes wrote
it. The results file of a batch has such a digest file too. A digest file has two lines, one for the state before the
last write and one for the state after it. Each line contains a length in bytes and the SHA-256 of that many bytes from
the start of the journal. Therefore one of the lines matches even if the process is killed during a write.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import is_dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

from trajectories.errors import NewerRun, RunBroken, UsageError, WorkspaceError, writing
from trajectories.file_limits import count_values, open_regular, read_limited
from trajectories.git_store.git_commands import make_folder, sync_folder
from trajectories.migrations import check_not_newer, migrate_line, version_after, version_note, version_of
from trajectories.records import VERSION, Note, Record, Run
from trajectories.trajectory import Trajectory

if TYPE_CHECKING:
    from filelock import FileLock
    from pydantic import TypeAdapter

LINES_SIZE = 172
CHUNK = 1 << 20


def write_digest(path: Path, data: bytes) -> None:
    """Create or replace the digest file of a journal that contains `data`, or will contain it. Raises OSError."""
    descriptor = _opened(path)
    try:
        _write(descriptor, 2 * _line(len(data), sha256(data).hexdigest()))
    finally:
        os.close(descriptor)


def known_lines(path: Path) -> dict[int, bytes]:
    """Return the digests in the file at `path`, by the number of bytes that they cover; empty if there is no file."""
    try:
        with path.open("rb") as file:
            lines = file.read(LINES_SIZE).splitlines()
    except OSError:
        return {}
    return {int(line[:20]): line[21:] for line in lines if line[:20].isdigit()}


def digest_of(file: BinaryIO, size: int) -> bytes:
    """Return the digest of the first `size` bytes of a file, or an empty one if the file is shorter."""
    digest = sha256()
    while size and (data := file.read(min(CHUNK, size))):
        digest.update(data)
        size -= len(data)
    return b"" if size else digest.hexdigest().encode()


def matches(file: BinaryIO, path: Path, *sizes: int) -> bool:
    """Whether the digest file at `path` matches the first bytes of `file`, for at least one of `sizes`."""
    known = known_lines(path)
    for size in sizes:
        file.seek(0)
        if size in known and digest_of(file, size) == known[size]:
            return True
    return False


class JournalDigest:
    """Keeps the digest file at `path` up to date for a journal, of which the first `size` bytes are valid. Raises
    OSError."""

    def __init__(self, path: Path, journal: Path, size: int) -> None:
        self._hash, self._size = sha256(), 0
        with suppress(FileNotFoundError), journal.open("rb") as file:
            while self._size < size and (data := file.read(min(CHUNK, size - self._size))):
                self._add(data)
        self._file = _opened(path)
        _write(self._file, 2 * self._line())

    @contextmanager
    def extended(self, data: bytes) -> Iterator[None]:
        """Context in which `data` is appended to the journal. After an error the digest covers the journal without
        `data`."""
        before, known = self._line(), (self._hash.copy(), self._size)
        self._add(data)
        try:
            _write(self._file, before + self._line())
            yield
        except BaseException:  # re-raised below
            self._hash, self._size = known
            raise

    def close(self) -> None:
        os.close(self._file)

    def _add(self, data: bytes) -> None:
        self._hash.update(data)
        self._size += len(data)

    def _line(self) -> bytes:
        return _line(self._size, self._hash.hexdigest())


def _opened(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _write(descriptor: int, lines: bytes) -> None:
    os.pwrite(descriptor, lines, 0)
    getattr(os, "fdatasync", os.fsync)(descriptor)


def _line(size: int, digest: str) -> bytes:
    return b"%020d %s\n" % (size, digest.encode())


MOST_BYTES, MOST_RECORDS, MOST_VALUES = 1 << 30, 500_000, 50_000_000
"""Maximum number of bytes, records and values of a journal that is read, since another person may have written it. A
step makes about five records."""
JOINED = "joined"
"""Field of a journal line whose record was written together with the previous one."""
_JOINED = re.compile(rb'"joined":true,"type":"[a-z]+"}\n?\Z')


@cache
def adapter() -> TypeAdapter[Any]:
    from pydantic import Field, TypeAdapter

    return TypeAdapter(Annotated[Record, Field(discriminator="type")])


def _fields(value: object) -> dict[str, Any]:
    if not is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"{type(value).__name__} cannot be written as JSON")
    return {field: getattr(value, field) for field in type(value).__dataclass_fields__}


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_fields)


def encode(record: Record, joined: bool = False) -> bytes:
    """Return one line of the journal. Invalid Unicode (a lone surrogate from a model) is replaced.

    Raises ValueError or TypeError for values that are not JSON.
    """
    line = _fields(record)
    if joined:
        line |= {JOINED: True, "type": line.pop("type")}  # `type` is the last field of every line
    return _ENCODER.encode(line).encode("utf-8", "replace") + b"\n"


def decode(line: bytes) -> Record:
    """Parse a line of the current format version into a record. Raises ValueError for anything else."""
    record: Record = adapter().validate_json(line)
    return record


def skip_nothing(line: bytes) -> bool:
    return False


def open_journal(path: Path) -> BinaryIO:
    """Open a journal for reading. Raises OSError, and RunBroken if it is larger than MOST_BYTES."""
    file = open_regular(path, inside=path.parent)
    if os.fstat(file.fileno()).st_size > MOST_BYTES:
        file.close()
        raise _too_large(path, f"{MOST_BYTES:,} bytes")
    return file


def _too_large(path: Path, limit: str) -> RunBroken:
    return RunBroken(f"{path} has more than {limit}, so it is not read.", "Check where this run comes from.")


class Lines:
    """Reads a journal line by line, including one that is still growing. `version` is the format version of the next
    lines. `end` is the size of the complete records in bytes, and `count` is their number."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.version = 0
        self.end = 0
        self.count = 0
        self._values = 0

    def new(self, skip: Callable[[bytes], bool] = skip_nothing) -> Iterator[Record]:
        """Yield the records added to the file since the last call. Raises UsageError if there is no file,
        WorkspaceError if it cannot be read, and the same exceptions as `records`."""
        try:
            with open_journal(self.path) as file:
                file.seek(self.end)
                yield from self.records(file, skip)
        except FileNotFoundError:
            what = f"There is no run in {self.path.parent}."
            raise UsageError(what, "`swe-agent runs` lists the runs there are.") from None
        except OSError as error:
            raise _unread(self.path, error) from error

    def records(self, file: Iterable[bytes], skip: Callable[[bytes], bool] = skip_nothing) -> Iterator[Record]:
        """Yield the complete records, except those whose line `skip` selects. An incomplete last write, left by a
        crash, is ignored. Raises RunBroken if an earlier line is damaged."""
        lines = iter(file)
        for line in lines:
            if not line.endswith(b"\n"):
                return  # the line is incomplete or still being written, and nothing after it is older
            if skip(line):
                self._have(line)
                continue
            try:
                record = self._record(line)
            except (ValueError, RecursionError) as error:
                if _is_unfinished(line, lines):
                    return
                what = f"Line {self.count + 1} of {self.path} is damaged and is not the last line."
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
            record = adapter().validate_python(migrate_line(json.loads(line), self.version))
        if isinstance(record, Note):
            self._set(version_after(record, self.version))
        return record

    def _set(self, version: int) -> None:
        check_not_newer(version, self.path.parent.name)
        self.version = version


def _is_unfinished(damaged: bytes, after: Iterator[bytes]) -> bool:
    """Return whether the damage is the rest of an unfinished write, which was never reported as completed.

    This is so if the damaged line is the last one, or if parts of the last write never reached the disk. Such parts are
    read as zero bytes, which no valid line contains, and all later lines belong to the same write; the last line may be
    incomplete.
    """
    is_torn = b"\0" in damaged
    return all(is_torn and (b"\0" in line or _JOINED.search(line) or not line.endswith(b"\n")) for line in after)


def records(directory: Path) -> Iterator[Record]:
    """Yield the records of a run one by one, even while another process writes it.

    Raises UsageError if there is no run, RunBroken if it is damaged, WorkspaceError if it cannot be read, and NewerRun
    if a newer version of the program wrote it.
    """
    yield from Lines(directory / "journal.jsonl").new()


def is_as_written(directory: Path, digest: Path) -> bool:
    """Whether the run's journal matches its digest file, apart from an incomplete last write left by a crash. Raises
    OSError if the journal cannot be read, and the same exceptions as `records`."""
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
    """Return the run as it is on disk. Raises the same exceptions as `records`."""
    return Trajectory(records(directory))


def is_started(directory: Path) -> bool:
    """Whether the first records of a run are complete. Raises RunBroken and NewerRun."""
    try:
        trajectory = read(directory)
    except NewerRun:
        raise
    except UsageError:
        return False
    return trajectory.run is not None and bool(trajectory.turns)


class Journal:
    """The journal of a run that this process writes. Thread-safe. Raises TryLater if another process has locked the
    run.

    `on_append` is called after each `append`, when the records are on disk.
    """

    def __init__(self, directory: Path, digest: Path | None = None) -> None:
        """Lock and open the run. `digest` is the path of the journal's digest file, if any."""
        self.directory = directory
        self._digest_path = digest
        self.path = directory / "journal.jsonl"
        self.outputs = directory / "out"
        self.on_append: Callable[[], object] = lambda: None
        with writing(directory):
            make_folder(directory, 0o700)
            make_folder(self.outputs, 0o700)
            directory.chmod(0o700)
            self._file_lock = lock_run(directory)
        try:
            with writing(self.path):
                self._open()
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
        os.fsync(self._file)  # also syncs data of an earlier process that was killed before it synced
        sync_folder(self.directory)
        self._digest = JournalDigest(self._digest_path, self.path, self._end) if self._digest_path else None
        if 0 < lines.version < VERSION:
            self.append(version_note())

    def append(self, *records: Record) -> None:
        """Write the records in order, and return when they are on disk.

        Raises WorkspaceError if they cannot be written. Raises ValueError or TypeError, with nothing written, for
        invalid records.
        """
        lines = [encode(record, joined=number > 0) for number, record in enumerate(records)]
        read_back = [decode(line) for line in lines]  # reject records that could not be read again
        with self._lock:
            with writing(self.path):
                if os.fstat(self._file).st_size > self._end:  # left by a failed write that could not be undone
                    os.ftruncate(self._file, self._end)
                self._append(b"".join(lines))
            self._end += sum(map(len, lines))
            for record in read_back:
                self.trajectory.add(record)
        self.on_append()

    def _append(self, data: bytes) -> None:
        if self._digest is None:
            append_durably(self._file, data)
            return
        with self._digest.extended(data):
            append_durably(self._file, data)

    def check_unchanged(self) -> None:
        """Remove what another program has added to the journal. Raises WorkspaceError if it was cut or replaced."""
        with self._lock:
            with writing(self.path):
                here, there = os.fstat(self._file), self.path.lstat()
                if here.st_size > self._end:
                    os.ftruncate(self._file, self._end)
            if here.st_size < self._end or not os.path.samestat(here, there):
                what = f"Another program changed {self.path} during the run."
                raise WorkspaceError(what, "Restore the file from a copy, and keep programs out of the run's folder.")

    def keep(self, output: bytes) -> int:
        """Store a full output and return its number; it is on disk when this returns."""
        with self._lock:
            number = self._next_output
            self._next_output += 1
        target = self.outputs / str(number)
        with writing(target):
            write_durably(target, output)
        return number

    def recall(self, number: int) -> bytes:
        """Return the output at `out:number`. Raises FileNotFoundError if there is none, RunBroken if `number` is not a
        number, and UsageError if the output is too large."""
        return recall_output(self.directory, number)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            if self._digest:
                self._digest.close()
            self._file_lock.release()


def recall_output(directory: Path, number: int) -> bytes:
    """Return a stored output of the run in this folder (see `Journal.recall`)."""
    if type(number) is not int:  # from someone else's record, it could be a path to any file
        raise RunBroken(f"{str(number)[:60]!r} in the record of {directory.name} is not the number of an output.")
    return read_limited(directory / "out" / str(number), inside=directory)


def lock_run(directory: Path) -> FileLock:
    """Acquire the lock of a run's folder, held until released. Raises TryLater if another process has it, OSError if
    there is no such folder, and RunBroken as `acquire_lock` does."""
    if not directory.is_dir():  # it was removed meanwhile, and locking would create it again
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(directory))
    from trajectories.file_limits import acquire_lock

    what = f"Another process is working on the run {directory.name}."
    return acquire_lock(directory / "lock", what, "Wait for it, or stop it, then try again.")


def first_record(trajectory: Trajectory, directory: Path) -> Run:
    """Return the first record of a run. Raises RunBroken if a crash left the first records incomplete."""
    if trajectory.run is None or not trajectory.turns:
        raise RunBroken(f"The run {directory.name} was not started.", "Start it again with `swe-agent fix`.")
    return trajectory.run


def append_durably(descriptor: int, data: bytes) -> None:
    """Append `data` to an open file and sync it, or leave the file unchanged. Raises OSError."""
    end = os.fstat(descriptor).st_size
    try:
        write_fully(descriptor, data)
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, end)
        os.fsync(descriptor)
        raise


def write_durably(target: Path, data: bytes) -> None:
    """Replace the content of `target` with `data` atomically and sync it, or leave it unchanged. A link is replaced,
    and its target remains unchanged. Raises OSError."""
    beside = target.with_name(f".{target.name}.new")
    try:
        descriptor = open_new(beside)
        try:
            write_fully(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        beside.replace(target)
    except OSError:
        beside.unlink(missing_ok=True)  # a partial file would only take up space on a disk that may be full
        raise
    sync_folder(target.parent)


def open_new(path: Path) -> int:
    """Create and open a file for writing; replaces a link, or a file left by a crash. Raises OSError."""
    path.unlink(missing_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _unread(path: Path, error: OSError) -> WorkspaceError:
    return WorkspaceError(f"{path} cannot be read: {error.strerror}.", "Check that it is a file that you may read.")


def write_fully(descriptor: int, data: bytes) -> None:
    """Write all of `data`, with as many system calls as needed. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
