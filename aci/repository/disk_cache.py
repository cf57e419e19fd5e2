"""SQLite files under the user's cache folder: what can be made again, kept because making it takes time."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from trajectories.errors import WorkspaceError

BUSY = 60.0
"""Seconds to wait for another process that writes."""

TRIES = 3
"""What another process has removed is made again first, then a damaged file is begun anew."""

Kept = TypeVar("Kept")


class Damaged(Exception):
    """What the cache holds is not what was stored in it."""


class Gone(Damaged):
    """What was there is not any more: another process may have made room."""


class CacheUnusable(WorkspaceError):
    """The cache's folder cannot be written, has no room, or another process holds it: another folder may do."""


DAMAGE = (sqlite3.DatabaseError, UnicodeDecodeError)
"""A schema that is no UTF-8 makes even SQLite's message one that cannot be decoded."""


def folder() -> Path:
    """Where caches live: `SWE_AGENT_CACHE`, else the system's place for the user's caches."""
    from platformdirs import user_cache_path

    own = os.environ.get("SWE_AGENT_CACHE", "")
    return Path(own) if own else user_cache_path("swe-agent")


class Cache:
    """One database. Safe for threads and processes; a file that is damaged, or of another version, is begun anew.

    Anew means under the next name (`graph.sqlite`, `graph.1.sqlite`, ...): another process may have the old file open,
    and SQLite finds a database's log by its name. Without a path it lives in memory. Raises CacheUnusable where the
    folder cannot be written.
    """

    def __init__(self, path: Path | None, schema: str, version: int) -> None:
        self.path, self._schema, self._version = path, schema, version
        self._lock = threading.RLock()
        self._file = path
        self._connection = self._open()

    def _open(self) -> sqlite3.Connection:
        if self.path is None:
            return self._begun(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False))
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = self._newest()
            for _ in range(TRIES):
                if connection := self._begun_unless_damaged():
                    if self._newest() == self._file:
                        return connection
                    connection.close()  # another process has gone on to the next file meanwhile
                self._replace()
            return self._begun(self._connect())
        except (*DAMAGE, Damaged, OSError) as error:
            raise self._unusable(error) from error

    def _begun_unless_damaged(self) -> sqlite3.Connection | None:
        try:
            return self._begun(self._connect())
        except (*DAMAGE, Damaged) as error:
            if _is_trouble(error):
                raise
            return None

    def _newest(self) -> Path:
        assert self.path
        numbered = {self._number(file): file for file in self.path.parent.glob(f"{self.path.stem}.*")}
        return numbered[max(numbered)] if max(numbered, default=-1) > 0 else self.path

    def _number(self, file: Path) -> int:
        """Which in turn a file is; -1 for one that is none of ours."""
        assert self.path
        if file == self.path:
            return 0
        number = file.name[len(self.path.stem) + 1 : -len(self.path.suffix)]
        return int(number) if file.suffix == self.path.suffix and number.isdecimal() and number.isascii() else -1

    def _replace(self) -> None:
        """Go on with the next file, which another process may have begun already; the old ones are removed."""
        assert self.path
        assert self._file
        newest = self._newest()
        if newest == self._file:
            newest = self.path.with_name(f"{self.path.stem}.{self._number(newest) + 1}{self.path.suffix}")
            newest.touch(mode=0o600)
        self._file = newest
        for number in range(self._number(newest)):
            old = f"{self.path.stem}.{number}{self.path.suffix}" if number else self.path.name
            for suffix in ("", "-wal", "-shm"):
                with suppress(OSError):  # gone already, or a folder
                    self.path.with_name(old + suffix).unlink()

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(str(self._file), timeout=BUSY, isolation_level=None, check_same_thread=False)

    def _begun(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        try:
            _insist(lambda: connection.execute("PRAGMA journal_mode=WAL"))
            connection.execute("PRAGMA synchronous=NORMAL")  # a crash of the machine may lose what came last
            connection.execute("PRAGMA mmap_size=1073741824")
            if connection.execute("PRAGMA user_version").fetchone()[0] != self._version:
                self._make(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _make(self, connection: sqlite3.Connection) -> None:
        """The tables, unless another process has just made them. Raises Damaged for a file that has others."""
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA user_version").fetchone()[0] != self._version:
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise Damaged("It is of another version")
            for statement in filter(str.strip, self._schema.split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {self._version}")
        connection.execute("COMMIT")

    def _unusable(self, error: Exception) -> CacheUnusable:
        return CacheUnusable(
            f"The cache {self._file} cannot be used: {error}.",
            "Point SWE_AGENT_CACHE to a folder that can be written and has room, or wait for who holds it.",
        )

    def read(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows. Raises Damaged."""
        with self._lock, _damage():
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, rolled back where the block raises. No other process writes meanwhile. Raises Damaged."""
        with self._lock, _damage():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite has rolled back already where the disk is full
                    self._connection.execute("ROLLBACK")
                raise

    def mended(self, work: Callable[[], Kept]) -> Kept:
        """What `work` returns; done once more on an empty cache where the cache proves to be damaged.

        Raises CacheUnusable where that does not help.
        """
        for attempt in range(TRIES):
            try:
                return work()
            except Damaged as error:
                last = error
                if attempt or not isinstance(error, Gone):
                    self._begin_anew()
        raise self._unusable(last) from last

    def _begin_anew(self) -> None:
        with self._lock:
            self._connection.close()
            try:
                if self.path:
                    self._replace()
            except OSError as error:
                raise self._unusable(error) from error
            self._connection = self._open()

    def size(self) -> int:
        """Bytes of what is stored."""
        pages, free, page = (
            self.read(f"PRAGMA {name}")[0][0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * page)

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def sealed(data: bytes, what: str) -> bytes:
    """With a checksum in front, of what it is as well: SQLite has none, and `marshal` must not see what is not ours."""
    return _checksum(data, what) + data


def unsealed(data: object, what: str) -> bytes:
    """Raises Damaged for what was not sealed as that."""
    if not isinstance(data, bytes) or _checksum(memoryview(data)[4:], what) != data[:4]:
        raise Damaged(f"{what} is not what was stored")
    return data[4:]


def _checksum(data: bytes | memoryview, what: str) -> bytes:
    return zlib.crc32(data, zlib.crc32(what.encode("utf-8", "surrogateescape"))).to_bytes(4, "big")


def _insist(work: Callable[[], object]) -> None:
    """Do it again while another process does the same: not each lock of SQLite's heeds its own time-out."""
    until = time.monotonic() + BUSY
    while True:
        try:
            work()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return


@contextmanager
def _damage() -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        if _is_trouble(error):
            raise CacheUnusable(
                f"The cache cannot be used: {error}.", "Try again later, or point SWE_AGENT_CACHE to another folder."
            ) from error
        raise Damaged(str(error)) from error


def _is_trouble(error: Exception) -> bool:
    """Whether it is not the file's content that is to blame."""
    return isinstance(error, sqlite3.OperationalError) and any(
        word in str(error) for word in ("locked", "busy", "readonly", "disk is full", "unable to open")
    )
