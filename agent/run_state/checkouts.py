"""Checkouts that share what is stored for a repository: experience, notes and summaries of files.

What is stored is named after the repository's first commit and origin, and both can be forged in an archive. Therefore
only recorded checkouts use it: the first one that stored something, and those that the user linked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from secrets import token_hex
from threading import Lock
from typing import TYPE_CHECKING

from aci.observation.untrusted_text import one_line
from aci.repository.git_view import common_folder
from aci.repository.repository_search import find_repository
from aci.repository.user_repository import Repository
from agent.run_state.run_ownership import run_owner
from trajectories.errors import ConfigError, SweAgentError, TryLater, UsageError, WorkspaceError
from trajectories.file_limits import read_limited
from trajectories.git_store.git_commands import exclusive, make_folder
from trajectories.journal import first_record, read, write_durably
from trajectories.plugins import installed_module

if TYPE_CHECKING:
    from aci.history.repository_identity import Identity

TOKEN = "swe-agent.checkout"
"""File in the git directory of a recorded checkout."""
MAX_TOKEN_BYTES = 100
FOLDER, EXPERIENCE, MEMORY, SUMMARIES = "checkouts", "experience", "memory", "summaries"
"""Folders in the state folder: the records of this module, and what they are about."""
LINK = "If this checkout is yours too, run `swe-agent experience link` in it."
LOCK_SECONDS = 10.0


class OtherCheckout(UsageError):
    """What is stored for a repository belongs to other checkouts."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A checkout, with the worktrees that are linked to it."""

    path: str
    """The git directory that linked worktrees share, as a resolved path."""

    device: int
    inode: int
    """Numbers of this directory, which stay the same if it is moved."""

    token: str
    """A random text that is also in the directory's file TOKEN: a removed directory's inode may be used again, but no
    archive of somebody else has this text. "" for one that earlier versions recorded."""

    @property
    def folder(self) -> str:
        """The path to show: the working tree, or the git directory of a bare repository."""
        return self.path.removesuffix("/.git")

    def is_at(self, git_dir: Path) -> bool:
        """Whether this directory is the recorded one. Raises OSError."""
        about = git_dir.stat()
        is_inode = about.st_ino == self.inode and (about.st_dev == self.device or str(git_dir) == self.path)
        return is_inode and (not self.token or _token(git_dir) == self.token)


def stored_identity(state: Path, source: Repository, commit: str) -> Identity | None:
    """Return the identity under which results of the repository that contains this commit are stored; None if it has
    none. Raises OtherCheckout if they belong to other checkouts, ConfigError for a damaged record, and OSError."""
    from aci.history.repository_identity import find_identity

    identity = find_identity(source, commit)
    if identity:
        check_checkout(state, source, identity)
    return identity


def check_checkout(state: Path, source: Repository, identity: Identity) -> bool:
    """Raise OtherCheckout if the checkout may not use what is stored for this identity, and the other errors of
    `stored_identity`. Return whether the checkout still has to be recorded before something is stored."""
    recorded = _recorded(_file(state, identity))
    known = recorded or _of_earlier_version(state, identity)
    if any(each.is_at(common_folder(source.git_dir).resolve()) for each in known):
        return not recorded
    if known:
        folders = " and ".join(one_line(each.folder) for each in known[:2])
        whose = f"belongs to another checkout ({folders})"
    elif _is_stored(state, identity):
        whose = "names no checkout that it belongs to"
    else:
        return True
    stored = f"The experience and the notes that are stored for {one_line(identity.origin)}"
    raise OtherCheckout(f"{stored} are not used: what is stored {whose}.", LINK)


def claim_stored(state: Path, source: Repository, identity: Identity) -> None:
    """Record the checkout before something is stored, if it is the first one. Raises the errors of `stored_identity`,
    and WorkspaceError and TryLater if the record cannot be written."""
    with _locked(state, identity) as file:
        if check_checkout(state, source, identity):
            _write(file, [_marked_checkout(source)])


def link_checkout(state: Path, source: Repository, identity: Identity) -> list[Checkout]:
    """Let the checkout use what is stored for this identity. Return all checkouts that do. Raises ConfigError,
    WorkspaceError, TryLater and OSError."""
    with _locked(state, identity) as file:
        known = _recorded(file) or _of_earlier_version(state, identity)
        own = _marked_checkout(source)
        linked = [*(each for each in known if not each.is_at(Path(own.path))), own]
        _write(file, linked)
    return linked


def _is_stored(state: Path, identity: Identity) -> bool:
    experience, summaries = state / EXPERIENCE / identity.key, state / SUMMARIES / identity.key
    notes = state / MEMORY / f"{identity.key}.md"
    return any(experience.glob("*/*.toml")) or notes.exists() or any(summaries.glob("*"))


def _of_earlier_version(state: Path, identity: Identity) -> list[Checkout]:
    """Return the checkout in which the oldest entry was made, if its run still says so: earlier versions recorded no
    checkouts. Without the extension that reads entries there is none, so the user has to link the checkout."""
    bank = installed_module("agent.run_state.checkouts")
    run = bank.oldest_run(state / EXPERIENCE / identity.key) if bank else ""
    directory = state / "runs" / run
    try:
        if not run or run_owner(directory, state) != "user":
            return []
        found = find_repository(Path(first_record(read(directory), directory).repository))
    except (OSError, SweAgentError):  # the run or the checkout was removed
        return []
    return [_checkout(Repository(found.root, found.git_dir))] if found else []


def _checkout(source: Repository, token: str = "") -> Checkout:
    git_dir = common_folder(source.git_dir).resolve()
    about = git_dir.stat()
    return Checkout(str(git_dir), about.st_dev, about.st_ino, token)


def _marked_checkout(source: Repository) -> Checkout:
    """Return the checkout with its token, which is written to its git directory if it has none."""
    git_dir = common_folder(source.git_dir).resolve()
    token = _token(git_dir) or token_hex(16)
    try:
        write_durably(git_dir / TOKEN, token.encode())
    except OSError as error:
        raise WorkspaceError(f"{git_dir} cannot be written: {error.strerror}.", "Check its permissions.") from error
    return _checkout(source, token)


def _token(git_dir: Path) -> str:
    try:
        return read_limited(git_dir / TOKEN, MAX_TOKEN_BYTES, inside=git_dir).decode("ascii", "replace")
    except (OSError, UsageError):  # UsageError: not a token
        return ""


class StoredResults:
    """What is stored for the repository of one run, for the checkout in which it runs. Thread-safe.

    `commit` is the run's base, and `say` reports to the user.
    """

    def __init__(
        self, state: Path, repository: Callable[[], Repository], commit: str, say: Callable[[str], object]
    ) -> None:
        self._state, self._repository, self._commit, self._say = state, repository, commit, say
        self._lock = Lock()

    def identity(self) -> Identity | None:
        """Return the identity under which results of the repository are stored.

        Returns None if the repository has none, and if they belong to other checkouts, which is reported once. Raises
        SweAgentError and OSError.
        """
        with self._lock:
            return self._identity

    @cached_property
    def _identity(self) -> Identity | None:
        try:
            return stored_identity(self._state, self._repository(), self._commit)
        except OtherCheckout as error:
            self._say(f"{error.message} {error.fix}")
            return None

    def claimed_identity(self) -> Identity | None:
        """Return the same before something is stored: the checkout is recorded if it is the first one."""
        if identity := self.identity():
            claim_stored(self._state, self._repository(), identity)
        return identity


# The records


def _file(state: Path, identity: Identity) -> Path:
    return state / FOLDER / f"{identity.key}.json"


@contextmanager
def _locked(state: Path, identity: Identity) -> Iterator[Path]:
    file = _file(state, identity)
    try:
        make_folder(file.parent, 0o700)
    except OSError as error:
        raise WorkspaceError(f"{file.parent} cannot be created: {error.strerror}.", "Check SWE_AGENT_STATE.") from error
    with exclusive(file.with_suffix(".lock"), LOCK_SECONDS, TryLater(f"Another process keeps {file} locked.")):
        yield file


def _recorded(file: Path) -> list[Checkout]:
    try:
        return [
            Checkout(str(each["path"]), int(each["device"]), int(each["inode"]), str(each["token"]))
            for each in json.loads(read_limited(file))
        ]
    except FileNotFoundError:
        return []
    except (OSError, UsageError, ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
        fix = "Remove it, then run `swe-agent experience link` in your checkout."
        raise ConfigError(f"{file} cannot be read: {error}.", fix) from error


def _write(file: Path, checkouts: list[Checkout]) -> None:
    text = json.dumps([asdict(each) for each in checkouts], indent=1)
    try:
        write_durably(file, text.encode())
    except OSError as error:
        raise WorkspaceError(f"{file} cannot be written: {error.strerror}.", "Check SWE_AGENT_STATE.") from error
