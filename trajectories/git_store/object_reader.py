"""A reader of git objects by id, through one long-running process. Contents are checked against their ids.

It lists the file entries of a tree and the changes between two trees, and keeps these and other results computed from
trees, which never change.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence, Sized
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha1, sha256
from pathlib import Path
from secrets import token_hex
from threading import Lock
from types import MappingProxyType
from typing import IO, Generic, TypeVar

from trajectories.errors import RunBroken, UsageError
from trajectories.git_store.git_commands import encode, start_git

CHUNK = 1 << 20
LONGEST_LINE = 200
RESTORE = "Restore the folder from a copy of your own."
AHEAD = 64
"""Number of objects that are requested at once: their requests fit into a pipe."""
_Found = tuple[str, int, bytes | None]
SILENCE = 60.0
"""Maximum number of seconds to wait for output from git."""


class _Answers:
    """git's output, read as lines and as blocks of known size. Both methods raise ValueError for invalid output, and if
    git ends or stops sending output, as it does after an incomplete object."""

    def __init__(self, pipe: int) -> None:
        self._pipe, self._read = pipe, bytearray()

    def line(self) -> bytes:
        while (end := self._read.find(b"\n")) < 0:
            if len(self._read) > LONGEST_LINE:
                raise ValueError("the line is too long for git's output")
            self._more()
        line = bytes(self._read[:end])
        del self._read[: end + 1]
        return line

    def take(self, size: int) -> Iterator[bytes]:
        while size:
            if not self._read:
                self._more()
            chunk = bytes(self._read[:size])
            del self._read[:size]
            size -= len(chunk)
            yield chunk

    def _more(self) -> None:
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        if not poll.poll(int(SILENCE * 1000)):
            raise ValueError("git does not answer")
        chunk = os.read(self._pipe, CHUNK)
        if not chunk:
            raise ValueError("git ended")
        self._read += chunk


class Reader:
    """Reads objects of a store by id, through one `git cat-file --batch` process that the first read starts.
    Thread-safe.

    Error messages name the `store`. When git reads an object, it does not check the content against the id. Unless
    `compare` is false, an object whose content does not match raises RunBroken."""

    def __init__(self, env: Mapping[str, str], store: Path, compare: bool = True) -> None:
        self._env, self._store, self._compare = dict(env), store, compare
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: _Answers | None = None
        self._end: weakref.finalize[..., Reader] | None = None

    def get(self, id: str, limit: int = 1 << 62) -> tuple[str, bytes] | None:
        """Return (type, bytes), or None if there is no such object. Raises UsageError for more than `limit` bytes."""
        found = self._ask([id], limit)[0]
        if found is None:
            return None
        kind, size, data = found
        if data is None:
            raise UsageError(f"Object {id[:10]} is too large to read here ({size:,} bytes, at most {limit:,}).")
        return kind, data

    def check(self, id: str) -> None:
        """Read an object of any size, without keeping it in memory. Raises RunBroken as `get` does."""
        self._ask([id], 0)

    def get_blobs(self, ids: Sequence[str], limit: int) -> Iterator[bytes | None]:
        """Yield the bytes of blobs, in order, and None for one that is longer than `limit`, missing or damaged."""
        for first in range(0, len(ids), AHEAD):
            some = ids[first : first + AHEAD]
            try:
                found = self._ask(some, limit)
            except RunBroken:
                found = [self._ask_one(id, limit) for id in some]
            yield from (one[2] if one and one[0] == "blob" else None for one in found)

    def _ask_one(self, id: str, limit: int) -> _Found | None:
        with suppress(RunBroken):
            return self._ask([id], limit)[0]
        return None

    def _ask(self, ids: Sequence[str], limit: int) -> list[_Found | None]:
        """Return (type, size, bytes) of each object, with None for bytes if there are more than `limit`. All requests
        are written before the first answer is read, so they must fit into a pipe."""
        # git sends all bytes of a loose object, even if its stated size is wrong, so an unguessable name marks the end
        end = f"..{token_hex(8)}"
        answers: list[tuple[str, int, bytes | None, str] | None] = []
        with self._lock:
            ask, answer = self._pipes()
            try:
                ask.write("".join(f"{id}\n{end}\n" for id in ids).encode())
                ask.flush()
                for id in ids:
                    answers.append(self._answer(answer, id, limit))
                    if answer.line() != f"{end} missing".encode():
                        raise ValueError("the object does not have the stated size")
            except (OSError, ValueError) as error:
                self._stop()
                broken = ids[min(len(answers), len(ids) - 1)]
                raise RunBroken(f"Object {broken[:10]} of {self._store} cannot be read.", RESTORE) from error
        for id, found in zip(ids, answers, strict=True):
            if self._compare and found and found[3] != id:
                what = f"Object {id[:10]} of {self._store} is damaged: its content does not match its id."
                raise RunBroken(what, RESTORE)
        return [found[:3] if found else None for found in answers]

    def _answer(self, answer: _Answers, id: str, limit: int) -> tuple[str, int, bytes | None, str] | None:
        """Return (type, size, bytes, id of the content). Raises OSError and ValueError."""
        header = answer.line()
        if header == f"{id} missing".encode():
            return None
        name, kind, size = header.decode("ascii").split()
        if self._compare and name != id:
            raise ValueError("an answer to another request")
        digest = (sha1 if len(name) == 40 else sha256)(f"{kind} {size}\0".encode())
        kept = bytearray()
        for chunk in answer.take(int(size)):
            digest.update(chunk)
            if int(size) <= limit:
                kept += chunk
        if b"".join(answer.take(1)) != b"\n":
            raise ValueError("more bytes than stated")
        return kind, int(size), bytes(kept) if int(size) <= limit else None, digest.hexdigest()

    def _pipes(self) -> tuple[IO[bytes], _Answers]:
        if self._process is None or self._process.poll() is not None:
            self._stop()
            self._process = cat_file(self._env)
            assert self._process.stdout
            self._answers = _Answers(self._process.stdout.fileno())
            self._end = weakref.finalize(self, _end, self._process)
        assert self._process.stdin
        assert self._answers
        return self._process.stdin, self._answers

    def _stop(self) -> None:
        if self._end:
            self._end()
        self._process = self._answers = self._end = None

    def close(self) -> None:
        with self._lock:
            self._stop()


def cat_file(env: Mapping[str, str], *options: str) -> subprocess.Popen[bytes]:
    """Start `git cat-file --batch` with pipes, for the store that `env` names. Raises WorkspaceError if git is not
    installed."""
    return start_git("cat-file", "--batch", *options, env=env, stdin=subprocess.PIPE)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with suppress(BrokenPipeError):
                pipe.close()


def checked_id(id: str) -> str:
    """Return an object id after checking it, since it may come from a record or a container and is passed on command
    lines. Raises RunBroken if it is not an id."""
    if not re.fullmatch(r"[0-9a-f]{40}", id):
        raise RunBroken(f"{id[:60]!r} is not the id of a tree or blob.")
    return id


def checked_path(path: str) -> str:
    """Return the path after checking it. Raises UsageError if a tree may not contain it."""
    parts = path.split("/")
    if "\0" in path or any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
        raise UsageError(f"A tree cannot hold the path {path!r}.", "Use a path inside the repository, outside .git.")
    return path


def is_under(path: str, wanted: set[str]) -> bool:
    """Return whether a path is in `wanted`, or below a path in `wanted`."""
    return path in wanted or any(path[:at] in wanted for at in _slashes(path))


def _slashes(path: str) -> list[int]:
    return [at for at, char in enumerate(path) if char == "/"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a tree: git's mode (`100644`, `100755`, `120000`, `160000`), blob id and size in bytes."""

    mode: str
    id: str
    size: int


@dataclass(frozen=True, slots=True)
class Change:
    """A path that differs between two trees, with git's status letter: `A` (added), `M` (modified), `D` (deleted) or
    `T` (type changed)."""

    status: str
    path: str


def changes(old: Mapping[str, Entry], new: Mapping[str, Entry]) -> Iterator[Change]:
    """Yield the paths that differ, in git's order."""
    for path in sorted(old.keys() | new.keys(), key=encode):
        before, after = old.get(path), new.get(path)
        if before is None or after is None:
            yield Change("D" if after is None else "A", path)
        elif before.mode[:3] != after.mode[:3]:
            yield Change("T", path)
        elif (before.mode, before.id) != (after.mode, after.id):
            yield Change("M", path)


MOST, LARGEST = 64, 1_000_000
"""Maximum number of cached results, and of characters (or items) in all of them together."""
LISTINGS, LISTED_FILES = 16, 20_000
"""Maximum number of trees whose listings are kept in memory, and of all their files together; the latest two are always
kept."""

Answer = TypeVar("Answer", bound=Sized)


class Listings:
    """The latest listings of trees: path -> entry."""

    def __init__(self) -> None:
        self._known: dict[str, Mapping[str, Entry]] = {}

    def get(self, tree: str) -> Mapping[str, Entry] | None:
        return self._known.get(tree)

    def entries(self) -> dict[str, Entry]:
        """Return the entries of all cached listings by id."""
        return {entry.id: entry for listing in self._known.values() for entry in listing.values()}

    def keep(self, tree: str, listing: dict[str, Entry]) -> Mapping[str, Entry]:
        """Cache a listing, drop old ones, and return a read-only view of it."""
        found = MappingProxyType(listing)
        others = [(id, listing) for id, listing in self._known.items() if id != tree][1 - LISTINGS :]
        while len(others) > 1 and len(found) + sum(len(listing) for _, listing in others) > LISTED_FILES:
            del others[0]
        self._known = dict([*others, (tree, found)])
        return found


class AnswerCache(Generic[Answer]):
    """A cache of the most recent results, by request. Thread-safe."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], Answer] = {}
        self._size = 0
        self._lock = Lock()

    def get(self, asked: tuple[str, ...]) -> Answer | None:
        return self._known.get(asked)

    def keep(self, asked: tuple[str, ...], answer: Answer) -> Answer:
        """Cache `answer` unless it is too large, and return it."""
        with self._lock:
            if asked not in self._known and len(answer) + len(asked) <= LARGEST:
                self._known[asked] = answer
                self._size += len(answer) + len(asked)
            while len(self._known) > MOST or self._size > LARGEST:
                oldest = next(iter(self._known))
                self._size -= len(self._known.pop(oldest)) + len(oldest)
        return answer
