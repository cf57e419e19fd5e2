"""A run's folder on its way from the machine that writes it to the one that keeps it.

Everything leaves, and is on disk where it arrives, in the order of a run on disk: outputs and objects, then the records
that name them. So what has arrived is a run at every moment, which `resume` goes on with.
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
from trajectories.journal_digest import JournalDigest
from trajectories.plumbing import create_store, sync_folder

JOURNAL = "journal.jsonl"
OBJECTS = "trees.git/objects"
TAKEN = re.compile(
    rf"{re.escape(JOURNAL)}|out/\d+|[a-z][\w-]*(?:\.[\w-]+)*\.(?:diff|sh|json|svg)|"
    rf"{re.escape(OBJECTS)}/(?:[0-9a-f]{{2}}/[0-9a-f]{{38}}|pack/pack-[0-9a-f]{{40}}\.(?:pack|rev|idx))"
)
"""What of a run's folder is sent and taken: no lock, no half-written file, and nothing that git takes orders from."""
PIECE = 4 << 20
"""Bytes of a file that travel at once."""


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of the file `path` of a run's folder, from `offset` on; `last` where the file ends with them."""

    path: str
    offset: int
    data: bytes
    last: bool = True


class Sender:
    """Knows what of a run's folder has left. For one thread at a time.

    `kept` is where the folder lies at the receiver, which the script of the proof names.
    """

    def __init__(self, directory: Path, kept: Path | None = None, sent: bool = False) -> None:
        self.directory = directory
        self._names = (_named(directory), _named(kept or directory))
        self._left: dict[str, tuple[int, int]] = {}
        self._records = 0
        if sent:
            self._left = {path: _mark(file) for path, file in self._files()}
            self._records = len(self._lines())

    def parts(self) -> Iterator[Part]:
        """What is new since the last time, all of it on disk here; nothing where no record is. Raises WorkspaceError.

        The journal is looked at first and sent last: what its records name was on disk before them.
        """
        lines = self._lines()
        if not lines:
            return
        for path, file in self._files():
            mark = _mark(file)
            if self._left.get(path) != mark:
                yield from self._pieces(path, file)
                self._left[path] = mark
        for at in range(0, len(lines), PIECE):
            yield Part(JOURNAL, self._records + at, lines[at : at + PIECE])
        self._records += len(lines)

    def _lines(self) -> bytes:
        """The whole lines of the journal that have not left."""
        try:
            with (self.directory / JOURNAL).open("rb") as journal:
                if os.fstat(journal.fileno()).st_size < self._records:
                    raise WorkspaceError(f"The journal of {self.directory.name} was cut back.", "See that disk's room.")
                journal.seek(self._records)
                new = journal.read()
        except FileNotFoundError:
            return b""
        return new[: new.rfind(b"\n") + 1]

    def _files(self) -> list[tuple[str, Path]]:
        """All but the journal; a pack's index last, since with it the pack is there."""
        listed = [*self.directory.glob("*"), *self.directory.glob("out/*"), *self.directory.glob(f"{OBJECTS}/*/*")]
        named = [(file.relative_to(self.directory).as_posix(), file) for file in listed]
        kept = [(path, file) for path, file in named if TAKEN.fullmatch(path) and path != JOURNAL]
        return sorted(kept, key=lambda one: (one[0].endswith(".idx"), one[0]))

    def _pieces(self, path: str, file: Path) -> Iterator[Part]:
        with file.open("rb") as opened:
            data, at = opened.read(PIECE), 0
            while True:
                after = opened.read(PIECE)
                sent = data.replace(*self._names) if path == "proof.sh" else data
                yield Part(path, at, sent, last=not after)
                if not after:
                    return
                data, at = after, at + len(sent)


class Receiver:
    """Keeps what comes of one run's folder. What it has taken is on disk. For one thread at a time.

    `digest` is the file in which the journal's digest is kept, if any.
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

    def take(self, parts: Iterable[Part]) -> None:
        """Raises WorkspaceError for what belongs in no run, for a gap, and where it cannot be written."""
        try:
            for part in parts:
                if not TAKEN.fullmatch(part.path):
                    raise WorkspaceError(f"A node sent {part.path!r}, which is no part of a run.")
                self._append(part) if part.path == JOURNAL else self._write(part)
        except OSError as error:
            what = f"What {self.directory.name} did elsewhere cannot be written here: {error.strerror}."
            raise WorkspaceError(what, "Make room; the batch goes on with the run.") from error

    def _append(self, part: Part) -> None:
        for folder in self._changed:
            sync_folder(folder)
        self._changed.clear()
        with self._digest.extended(part.data) if self._digest else nullcontext():
            _add(self.directory / JOURNAL, part)

    def close(self) -> None:
        if self._digest:
            self._digest.close()

    def _write(self, part: Part) -> None:
        target = self.directory / part.path
        beside = target.with_name(f".{target.name}.new")
        if not part.offset:
            beside.unlink(missing_ok=True)
            target.parent.mkdir(mode=0o700, exist_ok=True)
        _add(beside, part)
        if part.last:
            beside.replace(target)
            self._changed |= {target.parent, target.parent.parent}


def cut_torn(directory: Path) -> None:
    """Take half a line, which a killed receiver left, off the end of the journal."""
    path = directory / JOURNAL
    data = path.read_bytes()
    os.truncate(path, data.rfind(b"\n") + 1)


def _add(file: Path, part: Part) -> None:
    """Append the part where it belongs: at the end. Raises WorkspaceError where that is elsewhere."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600), "ab") as opened:
        if (size := os.fstat(opened.fileno()).st_size) != part.offset:
            raise WorkspaceError(f"{part.path} ends at {size}, and a node sent what follows {part.offset}.")
        opened.write(part.data)
        opened.flush()
        os.fsync(opened.fileno())


def _mark(file: Path) -> tuple[int, int]:
    about = file.stat()
    return about.st_size, about.st_mtime_ns


def _named(directory: Path) -> bytes:
    """How a script names the patch of the run in this folder."""
    return shlex.quote(str(directory / "patch.diff")).encode("utf-8", "surrogateescape")
