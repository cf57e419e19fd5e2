"""SQLite files under the user's cache folder: what can be made again, kept because making it takes time."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from trajectories.errors import WorkspaceError

BUSY = 60.0
"""Seconds to wait for another process that writes."""

Kept = TypeVar("Kept")


class Damaged(Exception):
    """What the cache holds is not what was stored in it."""


def folder() -> Path:
    """Where caches live: `SWE_AGENT_CACHE`, else the system's place for the user's caches."""
    from platformdirs import user_cache_path

    own = os.environ.get("SWE_AGENT_CACHE", "")
    return Path(own) if own else user_cache_path("swe-agent")


class Cache:
    """One database. Safe for threads and processes; a file that is damaged, or of another version, is begun anew.

    Without a path it lives in memory. Raises WorkspaceError where the folder cannot be written.
    """

    def __init__(self, path: Path | None, schema: str, version: int) -> None:
        self.path, self._schema, self._version = path, schema, version
        self._lock = threading.RLock()
        self._connection = self._open()

    def _open(self) -> sqlite3.Connection:
        if self.path is None:
            return self._begun(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False))
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            return self._begun(self._connect())
        except sqlite3.DatabaseError as error:
            if _is_busy(error):
                raise self._unusable(error) from error
        except OSError as error:
            raise self._unusable(error) from error
        self._remove()
        try:
            return self._begun(self._connect())
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(str(self.path), timeout=BUSY, isolation_level=None, check_same_thread=False)

    def _begun(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=OFF")  # a crash of the machine costs no more than the cache
            connection.execute("PRAGMA mmap_size=1073741824")
            if connection.execute("PRAGMA user_version").fetchone()[0] != self._version:
                self._make(connection)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _make(self, connection: sqlite3.Connection) -> None:
        """The tables anew, unless another process has just made them."""
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA user_version").fetchone()[0] != self._version:
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (name,) in tables:
                connection.execute(f'DROP TABLE "{name}"')
            for statement in filter(str.strip, self._schema.split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {self._version}")
        connection.execute("COMMIT")

    def _remove(self) -> None:
        assert self.path
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                self.path.with_name(self.path.name + suffix).unlink()

    def _unusable(self, error: Exception) -> WorkspaceError:
        return WorkspaceError(
            f"The cache {self.path} cannot be used: {error}.",
            "Point SWE_AGENT_CACHE to a folder that can be written, or wait for the process that holds it.",
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
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def mended(self, work: Callable[[], Kept]) -> Kept:
        """What `work` returns; done once more on an empty cache where the cache proves to be damaged."""
        try:
            return work()
        except Damaged:
            with self._lock:
                self._connection.close()
                if self.path:
                    self._remove()
                self._connection = self._open()
            return work()

    def close(self) -> None:
        with self._lock:
            self._connection.close()


@contextmanager
def _damage() -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        if _is_busy(error):
            raise WorkspaceError(f"The cache is held by another process: {error}.", "Try again later.") from error
        raise Damaged(str(error)) from error


def _is_busy(error: sqlite3.Error) -> bool:
    return isinstance(error, sqlite3.OperationalError) and any(
        word in str(error) for word in ("locked", "busy", "readonly", "disk is full", "unable to open")
    )
