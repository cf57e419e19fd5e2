"""git subprocesses with bytes as input and output, without hooks, prompts, a pager or network access, and with only the
store's configuration; read-only stores use a configuration of this program.

A run folder may come from someone else. Its `config` can name commands and servers, and its links and alternates can
point to other files of the user.
"""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import Lock
from typing import IO

from trajectories.errors import RunBroken, WorkspaceError
from trajectories.file_limits import is_in
from trajectories.temporary_folders import process_folder

QUIET = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_PAGER": "cat",
}
OWN = {**QUIET, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_ATTR_NOSYSTEM": "1"}

EXACT = "* -text -eol -crlf -ident -filter -working-tree-encoding !diff !merge\n"
"""Attributes that turn off all conversion between files and blobs; `info/attributes` takes precedence over the
attributes in a tree."""

DURABLE = "objects,derived-metadata"
"""Value of `core.fsync` that makes git write its objects to disk before a command ends."""

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


DISK_FULL = re.compile(
    r"(?m)[:.] (?:No space left on device|Out of diskspace|Disk quota exceeded|unable to write new index file)$"
)
"""Messages of git when it cannot write its own files; messages about unreadable files of a work tree do not match."""


class GitFailed(WorkspaceError):
    """A git command failed unexpectedly; has its exit `status`, its `stderr`, and the `reason` found in `stderr`."""

    def __init__(self, command: str, status: int, stderr: bytes) -> None:
        self.command, self.status = command, status
        self.stderr = stderr.decode("utf-8", "replace").strip()
        lines = self.stderr.splitlines() or [f"status {status}"]
        line_with_reason = next((line for line in lines if line.startswith(("fatal: ", "error: "))), lines[-1])
        self.reason = line_with_reason.removeprefix("fatal: ").removeprefix("error: ").rstrip(".")
        self.is_disk_full = bool(DISK_FULL.search(self.stderr))
        fix = "Free some disk space, then try again." if self.is_disk_full else ""
        super().__init__(f"git {command} failed: {self.reason}.", fix)

    def named(self, copy: str, index: Path) -> GitFailed:
        """Return the same failure with the user's `index` named instead of its `copy`."""
        stderr = self.stderr.replace(copy, str(index))
        if str(index) not in stderr and ("index file corrupt" in stderr or "cache entry" in stderr):
            stderr = f"fatal: {index} is damaged\n{stderr}"
        return GitFailed(self.command, self.status, stderr.encode())

    @property
    def reasons(self) -> str:
        """The error messages of `git apply`, joined in one line."""
        lines = [
            line.removeprefix("error: ") for line in self.stderr.splitlines() if line.startswith(("error:", "fatal:"))
        ]
        errors = [line for line in lines if not line.startswith("patch failed:")] or lines or ["git apply failed"]
        more = f"; and {len(errors) - 10} more" if len(errors) > 10 else ""
        return "; ".join(errors[:10]) + more


def encode(text: str) -> bytes:
    """Return a path or diff as the bytes that git uses; the inverse of `decode` for any bytes."""
    return text.encode("utf-8", "surrogateescape")


def decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def environment(own: Mapping[str, str], keep: tuple[str, ...] = ()) -> dict[str, str]:
    """Return this process's environment without GIT_* variables (except names that start with one of `keep`), plus
    `own`."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k.startswith(keep or ("\0",))}
    return {**inherited, **own}


def setting_variables(settings: Iterable[tuple[str, str]], given: Mapping[str, str]) -> dict[str, str]:
    """Return variables with which git uses these settings, after those that the variables `given` contain. Options of
    a command could not hold a name with `=`, and everybody on the machine can read them."""
    count = given.get("GIT_CONFIG_COUNT", "")
    number = int(count) if count.isdecimal() else 0
    named: dict[str, str] = {}
    for name, value in settings:
        named |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
        number += 1
    return {**named, "GIT_CONFIG_COUNT": str(number)}


def git_environ(own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for git commands in a store of this program, without system or user configuration."""
    return environment({**OWN, **own})


def git(
    *args: str,
    env: Mapping[str, str],
    input: bytes = b"",
    cwd: Path | None = None,
    timeout: float = 600.0,
    ok: Sequence[int] = (0,),
    index: Path | None = None,
) -> bytes:
    """Run git and return its stdout. Raises GitFailed for a status not in `ok`, or after `timeout` seconds.

    `index` is the user's index if `env` names a copy of it; errors then name the user's index.
    """
    name = _command(args)
    try:
        done = subprocess.run(
            ["git", *map(encode, args)],
            env=env,
            input=input,
            cwd=cwd,
            timeout=timeout,
            capture_output=True,
            check=False,
            start_new_session=True,  # Ctrl-C in the terminal must only reach this process, which ends the run cleanly
        )
    except FileNotFoundError:
        raise no_git() from None
    except subprocess.TimeoutExpired:
        raise GitFailed(name, 124, f"no answer within {timeout:.0f} s".encode()) from None
    if done.returncode not in ok:
        failed = GitFailed(name, done.returncode, done.stderr)
        raise failed.named(env["GIT_INDEX_FILE"], index) if index and "GIT_INDEX_FILE" in env else failed
    return done.stdout


def start_git(
    *args: str,
    env: Mapping[str, str],
    cwd: Path | None = None,
    within: Sequence[str] = (),
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int | IO[bytes] = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start git in a session of its own, so that Ctrl-C in the terminal only reaches this process. `within` is a
    command that sets limits and runs the command that follows it. Raises WorkspaceError if git is not installed."""
    try:
        return subprocess.Popen(
            [*within, "git", *map(encode, args)],
            env=env,
            cwd=cwd,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise no_git() from None


def git_version() -> str:
    """Return what `git --version` prints; "" if git is not installed or does not answer."""
    try:
        return decode(git("--version", env=git_environ({}), timeout=10)).strip()
    except WorkspaceError:
        return ""


def _command(args: Sequence[str]) -> str:
    values = {at + 1 for at, arg in enumerate(args) if arg in ("-c", "-C")}
    return next((arg for at, arg in enumerate(args) if at not in values and not arg.startswith("-")), "")


def no_git() -> WorkspaceError:
    return WorkspaceError("git is not installed or not on PATH.", "Install git 2.36 or later.")


@contextmanager
def exclusive(path: Path, seconds: float, busy: Exception) -> Iterator[None]:
    """Hold an inter-process lock at `path`, and remove the file afterwards.

    Raises `busy` if the lock is not acquired within `seconds`, and WorkspaceError if the file cannot be locked at all.
    """
    end = time.monotonic() + seconds
    while not (lock := _acquired(path)):
        if time.monotonic() > end:
            raise busy
        time.sleep(0.05)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(lock)


def _acquired(path: Path) -> int:
    """Return the descriptor of the locked file, or 0 if another process holds it or has just removed it."""
    try:
        lock, locked = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600), False
        try:
            with suppress(BlockingIOError, FileNotFoundError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                locked = os.path.samestat(os.fstat(lock), path.lstat())
        finally:
            if not locked:
                os.close(lock)
    except OSError as error:
        fix = "Check that its folder is writable, that it is a regular file, and that its file system supports locks."
        raise WorkspaceError(f"{path} cannot be locked: {error.strerror}.", fix) from error
    return lock if locked else 0


def create_store(path: Path, config: str = CONFIG, branch: str = "main", durable: bool = False) -> None:
    """Create an empty bare repository at `path` that does not convert files; an existing one is left as it is.

    With `durable`, it is on disk when this returns; after a crash it is either complete or created again.
    """
    if (path / "HEAD").exists():
        return
    make_folder(path, 0o700) if durable else path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in ("objects/pack", "objects/info", "refs/heads", "info"):
        (path / folder).mkdir(parents=True, exist_ok=True)
    (path / "config").write_text(config)
    (path / "info" / "attributes").write_text(EXACT)
    if durable:
        for name in ("config", "info/attributes", "info", "objects", "refs", "."):
            sync_folder(path / name)
    (path / "HEAD").write_text(f"ref: refs/heads/{branch}\n")  # last: without it the store does not exist
    if durable:
        sync_folder(path / "HEAD")
        sync_folder(path)


def sync_folder(path: Path) -> None:
    """Sync a folder's entries to disk, or a file's bytes. git syncs the files it writes, but not their folders."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(path: Path, mode: int = 0o777) -> None:
    """Create a folder and its missing parents; their names are on disk when this returns. Raises OSError."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    path.mkdir(mode=mode, parents=True, exist_ok=True)
    for each in reversed(missing):
        sync_folder(each.parent)


def folders(*paths: Path) -> str:
    """Join folders for GIT_ALTERNATE_OBJECT_DIRECTORIES; folders with a separator or quote in their path are quoted."""
    return os.pathsep.join(map(_quoted, map(str, paths)))


def _quoted(path: str) -> str:
    if not set(path) & {os.pathsep, '"', "\\"}:
        return path
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'


_LOCK = Lock()
ALTERNATES = frozenset({"alternates", "http-alternates"})


def read_only_environment(store: Path) -> dict[str, str]:
    """Return environment variables that make git read only the objects of a store, and nothing else in it. Raises
    OSError, and RunBroken if an object is not a regular file inside the store."""
    check_objects(store)
    return objects_environment(store)


def objects_environment(store: Path) -> dict[str, str]:
    """Return environment variables that make git use the objects of a store with a configuration of this program,
    without hooks."""
    return {"GIT_DIR": _empty_store(), "GIT_OBJECT_DIRECTORY": str(store / "objects")}


def check_objects(store: Path) -> None:
    """Raise RunBroken if an object of a store is not a regular file inside the store. Raises OSError."""
    objects = store / "objects"
    if store.is_symlink() or not is_in(objects, store) or not objects.is_dir():
        raise RunBroken(
            f"{store} contains no objects, or only links.", "Copy the whole folder of the run, without links."
        )
    for entry in _entries(objects):
        if not entry.is_file(follow_symlinks=False):
            raise RunBroken(f"{entry.path} is not a regular file.", "Copy the whole folder of the run, without links.")
        if entry.name.casefold() in ALTERNATES:
            raise RunBroken(f"{entry.path} refers to objects outside the run folder.", "Remove this file.")


def _entries(folder: str | Path) -> Iterator[os.DirEntry[str]]:
    """Yield every entry below a folder, recursively, except folders."""
    left = [folder]
    while left:
        with os.scandir(left.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    left.append(entry.path)
                else:
                    yield entry


@cache
def _made_store() -> Path:
    """Create an empty store, which is removed when this process ends."""
    made = process_folder() / "empty.git"
    create_store(made)
    return made


def _empty_store() -> str:
    with _LOCK:
        return str(_made_store())
