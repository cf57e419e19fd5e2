"""SQLite caches in the user's cache folder, for data that can be computed again.

A cache's version is derived from the source code that fills it. Each version has its own file. Files of other versions
are removed once they have not been used for a month.
"""

from __future__ import annotations

import os
import re
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from trajectories.errors import WorkspaceError, error_reason
from trajectories.plugins import extension_packages

MONTH = 30 * 86400.0
"""Number of seconds in 30 days."""
_GRAMMAR = re.compile(rb"\btree_sitter\w*")


@cache
def version_of(*patterns: str, kinds: tuple[str, ...] = ()) -> int:
    """Return a number that changes with the source of these files of `aci`, of extensions with plug-ins of these
    `kinds`, and with the parsers that they import."""
    from importlib.resources import files

    folder = Path(__file__).parents[1]
    found = [file for pattern in patterns for file in sorted(folder.glob(pattern))]
    for package in (package for kind in kinds for package in extension_packages(kind)):
        own = Path(str(files(package)))
        found += [own.parent / "__init__.py", *sorted(own.glob("*.py"))]
    sources = [file.read_bytes() for file in found]
    packages = sorted({name.decode().replace("_", "-") for source in sources for name in _GRAMMAR.findall(source)})
    sources += [f"{name} {version}".encode() for name in packages if (version := _installed_version(name))]
    return zlib.crc32(b"\0".join(sources)) & 0x7FFFFFFF  # SQLite's user_version is signed


def _installed_version(package: str) -> str:
    """Return the version of a package; "" if there is no package with this name. `importlib.metadata.version` would
    import a parser of mails."""
    from importlib.metadata import PackageNotFoundError, distribution

    with suppress(PackageNotFoundError):
        found = re.search(r"^Version: (.*)$", distribution(package).read_text("METADATA") or "", re.MULTILINE)
        return found[1] if found else ""
    return ""


def cache_file(folder: Path, name: str, version: int) -> Path:
    """Return the cache's file; remove files of other versions that have not been used for a month."""
    own = folder / f"{name}-{version:08x}.sqlite"
    with suppress(OSError):  # the folder cannot be read; opening the cache says so
        for file in folder.glob(f"{name}*.sqlite*"):
            with suppress(OSError):  # another process has removed it, or it is a folder
                if file.name.startswith(f"{own.stem}."):
                    os.utime(file)
                elif re.fullmatch(rf"{name}(-[0-9a-f]{{8}})?(\.\d+)?\.sqlite(-wal|-shm)?", file.name) and _is_old(file):
                    file.unlink()
    return own


def _is_old(file: Path) -> bool:
    return file.stat().st_mtime < time.time() - MONTH


BUSY = 60.0
"""Number of seconds to wait for another process that is writing."""

TRIES = 3
"""Maximum number of attempts of an operation, which is repeated if another process removed entries or a damaged file
was replaced."""

Kept = TypeVar("Kept")


class Damaged(Exception):
    """The cache's content is not what was stored in it."""


class EntryEvicted(Damaged):
    """An entry has disappeared: another process may have evicted it."""


class CacheUnusable(WorkspaceError):
    """The cache's folder cannot be written, is full, or is locked by another process; another folder may work."""


DAMAGE = (sqlite3.DatabaseError, UnicodeDecodeError)
"""Errors that indicate damage; if the schema is not valid UTF-8, SQLite's error message cannot be decoded."""


def cache_folder() -> Path:
    """Return the folder of all caches: `SWE_AGENT_CACHE` if set, or else the system's cache folder for the user."""
    from platformdirs import user_cache_path

    own = os.environ.get("SWE_AGENT_CACHE", "")
    return Path(own) if own else user_cache_path("swe-agent")


class Cache:
    """One database, safe for threads and processes. A file that is damaged or has another schema version is replaced.

    The replacement gets the next name (`graph.sqlite`, `graph.1.sqlite`, ...), since another process may still have the
    old file open and SQLite derives the name of the log from that of the database. Without a path the cache is in
    memory. Raises CacheUnusable if the folder cannot be written.
    """

    def __init__(self, path: Path | None, schema: str, version: int) -> None:
        self.path, self._schema, self._version = path, schema, version
        self._lock = threading.RLock()
        self._file = path
        self._connection = self._open()

    def _open(self) -> sqlite3.Connection:
        if self.path is None:
            return self._initialized(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False))
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = self._newest()
            for _ in range(TRIES):
                if connection := self._open_unless_damaged():
                    if self._newest() == self._file:
                        return connection
                    connection.close()  # meanwhile, another process has switched to the next file
                self._replace()
            return self._initialized(self._connect())
        except (*DAMAGE, Damaged, OSError) as error:
            raise self._unusable(error) from error

    def _open_unless_damaged(self) -> sqlite3.Connection | None:
        try:
            return self._initialized(self._connect())
        except (*DAMAGE, Damaged) as error:
            if _is_access_problem(error):
                raise
            return None

    def _newest(self) -> Path:
        assert self.path
        numbered = {self._number(file): file for file in self.path.parent.glob(f"{self.path.stem}.*")}
        return numbered[max(numbered)] if max(numbered, default=-1) > 0 else self.path

    def _number(self, file: Path) -> int:
        """Return a file's number in the sequence of names, or -1 if its name is not part of the sequence."""
        assert self.path
        if file == self.path:
            return 0
        number = file.name[len(self.path.stem) + 1 : -len(self.path.suffix)]
        return int(number) if file.suffix == self.path.suffix and number.isdecimal() and number.isascii() else -1

    def _replace(self) -> None:
        """Switch to the next file, which another process may already have created, and remove the old files."""
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
                with suppress(OSError):  # already removed, or a folder
                    self.path.with_name(old + suffix).unlink()

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(str(self._file), timeout=BUSY, isolation_level=None, check_same_thread=False)

    def _initialized(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        try:
            _retry_while_locked(lambda: connection.execute("PRAGMA journal_mode=WAL"))
            connection.execute("PRAGMA synchronous=NORMAL")  # the latest writes may be lost if the machine crashes
            connection.execute("PRAGMA mmap_size=1073741824")
            if connection.execute("PRAGMA user_version").fetchone()[0] != self._version:
                self._create_tables(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _create_tables(self, connection: sqlite3.Connection) -> None:
        """Create the tables, unless another process has just done so. Raises Damaged if the file already has the tables
        of another version."""
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA user_version").fetchone()[0] != self._version:
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise Damaged("It has another version")
            for statement in filter(str.strip, self._schema.split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {self._version}")
        connection.execute("COMMIT")

    def _unusable(self, error: Exception) -> CacheUnusable:
        return CacheUnusable(
            f"The cache {self._file} cannot be used: {error_reason(error)}.",
            "Point SWE_AGENT_CACHE to a writable folder with free space, or wait for the process that uses the cache.",
        )

    def read(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query. Raises Damaged."""
        with self._lock, _translated_errors():
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Open an exclusive transaction, which is rolled back if the block raises an exception. Raises Damaged."""
        with self._lock, _translated_errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # if the disk is full, SQLite has already rolled back
                    self._connection.execute("ROLLBACK")
                raise

    def run_repairing(self, work: Callable[[], Kept]) -> Kept:
        """Return the result of `work`; if the cache is damaged, call `work` again on an empty cache.

        Raises CacheUnusable if the retries fail too.
        """
        for attempt in range(TRIES):
            try:
                return work()
            except Damaged as error:
                last = error
                if attempt or not isinstance(error, EntryEvicted):
                    self._start_over()
        raise self._unusable(last) from last

    def _start_over(self) -> None:
        with self._lock:
            self._connection.close()
            try:
                if self.path:
                    self._replace()
            except OSError as error:
                raise self._unusable(error) from error
            self._connection = self._open()

    def size(self) -> int:
        """Return the number of bytes in use."""
        pages, free, page = (
            self.read(f"PRAGMA {name}")[0][0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * page)

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def add_checksum(data: bytes, what: str) -> bytes:
    """Return the data, prefixed with a checksum of `what` and the data.

    SQLite does not store checksums, and `marshal` must read only data that swe-agent wrote.
    """
    return _checksum(data, what) + data


def remove_checksum(data: object, what: str) -> bytes:
    """Return the data without its checksum. Raises Damaged if the checksum does not match the data and `what`."""
    if not isinstance(data, bytes) or _checksum(memoryview(data)[4:], what) != data[:4]:
        raise Damaged(f"{what} is not what was stored")
    return data[4:]


def _checksum(data: bytes | memoryview, what: str) -> bytes:
    return zlib.crc32(data, zlib.crc32(what.encode("utf-8", "surrogateescape"))).to_bytes(4, "big")


def _retry_while_locked(work: Callable[[], object]) -> None:
    """Repeat `work` while the database is locked, because SQLite does not apply the connection's timeout to every
    lock."""
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
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        if _is_access_problem(error):
            raise CacheUnusable(
                f"The cache cannot be used: {error}.", "Try again later, or point SWE_AGENT_CACHE to another folder."
            ) from error
        raise Damaged(str(error)) from error


def _is_access_problem(error: Exception) -> bool:
    """Whether the error has a cause other than the file's content, such as a lock or a full disk."""
    return isinstance(error, sqlite3.OperationalError) and any(
        word in str(error) for word in ("locked", "busy", "readonly", "disk is full", "unable to open")
    )
