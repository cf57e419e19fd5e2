"""Objects of a git store by id, through one process that stays. Their content is compared with the id."""

from __future__ import annotations

import subprocess
import threading
import weakref
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha1, sha256
from pathlib import Path
from typing import IO, TYPE_CHECKING

from trajectories.errors import RunBroken, UsageError
from trajectories.plumbing import no_git

if TYPE_CHECKING:
    from hashlib import _Hash as HASH

CHUNK = 1 << 20


class Reader:
    """Objects of a store by id, through one `git cat-file --batch` that starts at the first question. Thread-safe.
    Errors name the `store`. git does not compare the content of an object with its id when it reads one: unless
    `compare` is false, an object whose content has another id is RunBroken."""

    def __init__(self, env: Mapping[str, str], store: Path, compare: bool = True) -> None:
        self._env, self._store, self._compare = dict(env), store, compare
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._end: weakref.finalize[..., Reader] | None = None

    def get(self, id: str, limit: int = 1 << 62) -> tuple[str, bytes] | None:
        """(type, bytes), or None for an object that is not there. UsageError for one of more than `limit` bytes."""
        found = self._ask(id, limit)
        if found is None:
            return None
        kind, size, data = found
        if data is None:
            raise UsageError(f"Object {id[:10]} is too large to read here ({size:,} bytes, at most {limit:,}).")
        return kind, data

    def check(self, id: str) -> None:
        """Read an object of any size, without keeping it in memory. Raises RunBroken as `get` does."""
        self._ask(id, 0)

    def _ask(self, id: str, limit: int) -> tuple[str, int, bytes | None] | None:
        """(type, size, bytes); no bytes if there are more than `limit`."""
        with self._lock:
            ask, answer = self._pipes()
            try:
                ask.write(id.encode() + b"\n")
                ask.flush()
                header = answer.readline().split()
                if header[1:] == [b"missing"]:
                    return None
                kind, size = header[1].decode(), int(header[2])
                digest = (sha1 if len(header[0]) == 40 else sha256)(b"%b %d\0" % (header[1], size))
                data = self._take(answer, size, limit, digest)
            except (OSError, IndexError, ValueError) as error:
                self._stop()
                raise RunBroken(f"Object {id[:10]} of {self._store} cannot be read.") from error
        if self._compare and digest.hexdigest().encode() != header[0]:
            what = f"Object {id[:10]} of {self._store} was replaced: its content has another id."
            raise RunBroken(what, "Restore the folder from a copy of your own.")
        return kind, size, data

    @staticmethod
    def _take(answer: IO[bytes], size: int, limit: int, digest: HASH) -> bytes | None:
        if size <= limit:
            data = answer.read(size + 1)
            if len(data) != size + 1:
                raise ValueError("cut short")
            data = data[:-1]
            digest.update(data)
            return data
        left = size
        while left and (chunk := answer.read(min(left, CHUNK))):
            digest.update(chunk)
            left -= len(chunk)
        if left or answer.read(1) != b"\n":
            raise ValueError("cut short")
        return None

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        if self._process is None or self._process.poll() is not None:
            self._stop()
            self._process = cat_file(self._env)
            self._end = weakref.finalize(self, _end, self._process)
        assert self._process.stdin
        assert self._process.stdout
        return self._process.stdin, self._process.stdout

    def _stop(self) -> None:
        if self._end:
            self._end()
        self._process = self._end = None

    def close(self) -> None:
        with self._lock:
            self._stop()


def cat_file(env: Mapping[str, str], *options: str) -> subprocess.Popen[bytes]:
    """A `git cat-file --batch` on pipes, for the store that `env` names. Raises WorkspaceError without git."""
    try:
        return subprocess.Popen(
            ["git", "cat-file", "--batch", *options],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise no_git() from None


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with suppress(BrokenPipeError):
                pipe.close()
