"""Transfer of a run's folder from the machine that writes it to the one that stores it.

Data is sent and written in the order in which a run writes it: outputs and objects, then the records that refer to
them. The received folder is therefore always a valid run that `resume` can continue.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from trajectories.errors import WorkspaceError
from trajectories.git_store.git_commands import create_store, sync_folder
from trajectories.journal import JournalDigest

JOURNAL = "journal.jsonl"
OBJECTS = "trees.git/objects"
TRANSFERRED = re.compile(
    rf"{re.escape(JOURNAL)}|out/\d+|[a-z][\w-]*(?:\.[\w-]+)*\.(?:diff|sh|json|svg)|"
    rf"{re.escape(OBJECTS)}/(?:[0-9a-f]{{2}}/[0-9a-f]{{38}}|pack/pack-[0-9a-f]{{40}}\.(?:pack|rev|idx))"
)
"""Pattern of the paths that are sent and accepted; it excludes locks, partially written files and git configuration."""
PIECE = 4 << 20
"""Maximum number of bytes of a file in one chunk."""


@dataclass(frozen=True, slots=True)
class FileChunk:
    """A chunk of the file `path` in a run's folder, starting at `offset`; `last` marks the file's final chunk."""

    path: str
    offset: int
    data: bytes
    last: bool = True


class Sender:
    """Splits the new data in a run's folder into chunks to send. Not thread-safe.

    `kept` is the folder's path on the receiver, which replaces the local path in `proof.sh`.
    """

    def __init__(self, directory: Path, kept: Path | None = None, sent: bool = False) -> None:
        self.directory = directory
        self._names = (_patch_path(directory), _patch_path(kept or directory))
        self._sent_files: dict[str, tuple[int, int]] = {}
        self._records = 0
        if sent:
            self._sent_files = {path: _mark(file) for path, file in self._files()}
            self._records = len(self._lines())

    def parts(self) -> Iterator[FileChunk]:
        """Yield the data written since the last call, but nothing if the journal has no new record. Raises
        WorkspaceError.

        The journal is read first and sent last, so everything that its records refer to is sent before them.
        """
        lines = self._lines()
        if not lines:
            return
        for path, file in self._files():
            mark = _mark(file)
            if self._sent_files.get(path) != mark:
                yield from self._pieces(path, file)
                self._sent_files[path] = mark
        for at in range(0, len(lines), PIECE):
            yield FileChunk(JOURNAL, self._records + at, lines[at : at + PIECE])
        self._records += len(lines)

    def _lines(self) -> bytes:
        """Return the complete lines of the journal that have not been sent."""
        try:
            with (self.directory / JOURNAL).open("rb") as journal:
                if os.fstat(journal.fileno()).st_size < self._records:
                    what = f"The journal of {self.directory.name} was truncated."
                    raise WorkspaceError(what, "Check that disk's free space.")
                journal.seek(self._records)
                new = journal.read()
        except FileNotFoundError:
            return b""
        return new[: new.rfind(b"\n") + 1]

    def _files(self) -> list[tuple[str, Path]]:
        """Return all files to transfer except the journal; pack indexes come last, because git uses a pack once its
        index exists."""
        listed = [*self.directory.glob("*"), *self.directory.glob("out/*"), *self.directory.glob(f"{OBJECTS}/*/*")]
        named = [(file.relative_to(self.directory).as_posix(), file) for file in listed]
        accepted = [(path, file) for path, file in named if TRANSFERRED.fullmatch(path) and path != JOURNAL]
        return sorted(accepted, key=lambda one: (one[0].endswith(".idx"), one[0]))

    def _pieces(self, path: str, file: Path) -> Iterator[FileChunk]:
        with file.open("rb") as opened:
            data, at = opened.read(PIECE), 0
            while True:
                after = opened.read(PIECE)
                sent = data.replace(*self._names) if path == "proof.sh" else data
                yield FileChunk(path, at, sent, last=not after)
                if not after:
                    return
                data, at = after, at + len(sent)


class Receiver:
    """Receives one run's folder and writes it to disk immediately. Not thread-safe.

    `digest` is the file that holds the journal's digest, if any.
    """

    def __init__(self, directory: Path, digest: Path | None = None) -> None:
        self.directory = directory
        journal = directory / JOURNAL
        size = journal.stat().st_size if journal.exists() else 0
        self._digest = JournalDigest(digest, journal, size) if digest else None
        (directory / "out").mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
        create_store(directory / "trees.git", durable=True)
        self._changed: set[Path] = {directory}

    def take(self, parts: Iterable[FileChunk]) -> None:
        """Write chunks to disk. Raises WorkspaceError for a file that is not part of a run, a gap, or a failed
        write."""
        try:
            for part in parts:
                if not TRANSFERRED.fullmatch(part.path):
                    raise WorkspaceError(f"A node sent {part.path!r}, which is not part of a run.")
                self._append(part) if part.path == JOURNAL else self._write(part)
        except OSError as error:
            what = f"Received data of {self.directory.name} cannot be written here: {error.strerror}."
            raise WorkspaceError(what, "Free disk space; the batch then resumes the run.") from error

    def _append(self, part: FileChunk) -> None:
        for folder in self._changed:
            sync_folder(folder)
        self._changed.clear()
        with self._digest.extended(part.data) if self._digest else nullcontext():
            _add(self.directory / JOURNAL, part)

    def close(self) -> None:
        if self._digest:
            self._digest.close()

    def _write(self, part: FileChunk) -> None:
        target = self.directory / part.path
        beside = target.with_name(f".{target.name}.new")
        if not part.offset:
            beside.unlink(missing_ok=True)
            target.parent.mkdir(mode=0o700, exist_ok=True)
        _add(beside, part)
        if part.last:
            beside.replace(target)
            self._changed |= {target.parent, target.parent.parent}


def cut_incomplete_line(directory: Path) -> None:
    """Remove an incomplete last line, left by a killed receiver, from the journal."""
    path = directory / JOURNAL
    data = path.read_bytes()
    os.truncate(path, data.rfind(b"\n") + 1)


def _add(file: Path, part: FileChunk) -> None:
    """Append a chunk to a file. Raises WorkspaceError if the file does not end at the chunk's offset."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600), "ab") as opened:
        if (size := os.fstat(opened.fileno()).st_size) != part.offset:
            raise WorkspaceError(f"{part.path} ends at {size}, but a node sent data from {part.offset} on.")
        opened.write(part.data)
        opened.flush()
        os.fsync(opened.fileno())


def _mark(file: Path) -> tuple[int, int]:
    about = file.stat()
    return about.st_size, about.st_mtime_ns


def _patch_path(directory: Path) -> bytes:
    """Return the path of the run's patch, quoted for a shell script."""
    return shlex.quote(str(directory / "patch.diff")).encode("utf-8", "surrogateescape")
