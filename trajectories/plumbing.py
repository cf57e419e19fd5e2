"""git as we run it: bytes in and out, no hooks, prompts, pager or network, no configuration but the store's own."""

from __future__ import annotations

import os
import subprocess
import threading
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from trajectories.errors import RunBroken, UsageError, WorkspaceError

QUIET = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_PAGER": "cat",
}
OWN = {**QUIET, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_ATTR_NOSYSTEM": "1"}

EXACT = "* -text -eol -crlf -ident -filter -working-tree-encoding !diff !merge\n"
"""Attributes under which a file's bytes are a blob's, both ways; nothing in a tree overrides `info/attributes`."""

DURABLE = "objects,derived-metadata"
"""`core.fsync`: what git writes is on disk when it answers."""

CONFIG = f"""[core]
\trepositoryformatversion = 0
\tbare = true
\tfilemode = true
\tlogAllRefUpdates = false
\tattributesFile = {os.devnull}
\texcludesFile = {os.devnull}
\thooksPath = {os.devnull}
\tquotePath = false
\tfsync = {DURABLE}
\tbigFileThreshold = 1m
\tpackedGitWindowSize = 32m
\tpackedGitLimit = 256m
[gc]
\tauto = 0
[pack]
\tthreads = 1
"""


class GitFailed(WorkspaceError):
    """A git command that we expected to work did not; `stderr` is what it said, `status` its exit status."""

    def __init__(self, command: str, status: int, stderr: bytes) -> None:
        self.status = status
        self.stderr = stderr.decode("utf-8", "replace").strip()
        super().__init__(f"git {command} failed: {self.stderr.splitlines()[-1] if self.stderr else f'status {status}'}")


def encode(text: str) -> bytes:
    """A path or diff as git's bytes; the inverse of `decode`, whatever the bytes were."""
    return text.encode("utf-8", "surrogateescape")


def decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def environment(own: Mapping[str, str], keep: tuple[str, ...] = ()) -> dict[str, str]:
    """Ours without anyone's GIT_* (except names that start with one of `keep`), plus `own`."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k.startswith(keep or ("\0",))}
    return {**inherited, **own}


def git(
    *args: str,
    env: Mapping[str, str],
    input: bytes = b"",
    cwd: Path | None = None,
    timeout: float = 600.0,
    ok: Sequence[int] = (0,),
) -> bytes:
    """Run git and return its stdout. Raises GitFailed for a status not in `ok`, or after `timeout` seconds."""
    name = next((arg for arg in args if not arg.startswith("-") and "=" not in arg), "")
    try:
        done = subprocess.run(
            ["git", *map(encode, args)],
            env=env,
            input=input,
            cwd=cwd,
            timeout=timeout,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise no_git() from None
    except subprocess.TimeoutExpired:
        raise GitFailed(name, 124, f"no answer within {timeout:.0f} s".encode()) from None
    if done.returncode not in ok:
        raise GitFailed(name, done.returncode, done.stderr)
    return done.stdout


def no_git() -> WorkspaceError:
    return WorkspaceError("git is not installed or not on PATH.", "Install git 2.36 or later.")


def create_store(path: Path, config: str = CONFIG, branch: str = "main") -> None:
    """Make `path` an empty bare repository of exact bytes; one that is there already stays as it is."""
    if (path / "HEAD").exists():
        return
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in ("objects/pack", "objects/info", "refs/heads", "info"):
        (path / folder).mkdir(parents=True, exist_ok=True)
    (path / "config").write_text(config)
    (path / "info" / "attributes").write_text(EXACT)
    (path / "HEAD").write_text(f"ref: refs/heads/{branch}\n")  # last: without it the store does not exist


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable; git syncs the files it writes, not their folders."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Reader:
    """Objects of a store by id, through one `git cat-file --batch` that starts at the first question. Thread-safe."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = dict(env)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._end: weakref.finalize[..., Reader] | None = None

    def get(self, id: str, limit: int = 1 << 62) -> tuple[str, bytes] | None:
        """(type, bytes), or None for an object that is not there. UsageError for one of more than `limit` bytes."""
        with self._lock:
            ask, answer = self._pipes()
            try:
                ask.write(id.encode() + b"\n")
                ask.flush()
                header = answer.readline().split()
                if header[1:] == [b"missing"]:
                    return None
                kind, size = header[1].decode(), int(header[2])
                data = self._take(answer, size, limit)
            except (OSError, IndexError, ValueError) as error:
                self._stop()
                raise RunBroken(f"Object {id[:10]} of {self._env['GIT_DIR']} cannot be read.") from error
        if data is None:
            raise UsageError(f"Object {id[:10]} is too large to read here ({size:,} bytes, at most {limit:,}).")
        return kind, data

    @staticmethod
    def _take(answer: IO[bytes], size: int, limit: int) -> bytes | None:
        if size <= limit:
            data = answer.read(size + 1)
            if len(data) != size + 1:
                raise ValueError("cut short")
            return data[:-1]
        left = size + 1
        while left and (chunk := answer.read(min(left, 1 << 20))):
            left -= len(chunk)
        return None

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        if self._process is None or self._process.poll() is not None:
            self._stop()
            try:
                self._process = subprocess.Popen(
                    ["git", "cat-file", "--batch"],
                    env=self._env,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                )
            except FileNotFoundError:
                raise no_git() from None
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


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with suppress(BrokenPipeError):
                pipe.close()
