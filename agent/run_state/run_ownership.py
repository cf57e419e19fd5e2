"""Ownership of run folders and output folders: which of them the user created.

The user's folders are registered in the state folder when they are created, with a digest of each run's journal and of
each batch's results. An unregistered run folder is untrusted: `extensions/replay/untrusted_run.py` defines which parts
of it are used. An unregistered output folder of `batch` or `evaluate` is refused.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Literal

from agent.run_state.terminal_question import at_terminal, confirm
from trajectories.errors import ConfigError, RunBroken, TryLater, UsageError
from trajectories.file_limits import open_regular
from trajectories.git_store.git_commands import exclusive, make_folder
from trajectories.journal import JournalDigest, is_as_written, open_journal, write_digest, write_durably
from trajectories.trajectory import REPLAY, Trajectory

Owner = Literal["user", "unknown", "other"]
"""`unknown`: the run is in the user's folder of runs, but it is older than the registry, or the state folder has been
moved since the run was created."""

UNTRUSTED = "untrusted"
"""Key in the data of a replay's note, set if the original run is not the user's own."""
REGISTRY = "own-runs"
ASKED = "asked"
"""A file in the registry that marks the question about ownership as settled. It exists if there were no unregistered
runs, or if the user has said who owns them."""
DIGEST = ".digest"
TRIES = 5
OUTPUT = "output-"
"""Prefix of the names of registry entries for output folders."""
RESULTS = "results.jsonl"
"""The only file in a batch's output folder whose digest is stored."""
OWNER = ".swe-agent-owner"
"""A file with a random token in an output folder; the registry entry contains the same token, because a folder
extracted from an archive may get the path and the inode of a removed folder."""
BEING_WRITTEN = f".{OWNER}.new"
LOCK_SECONDS = 10
MOST_BYTES = 10_000
"""Maximum number of bytes in a registry entry."""


def open_registry(state: Path) -> None:
    """Create the registry before the first run is registered. Raises OSError."""
    if not (state / REGISTRY).is_dir():
        complete = not _started_runs(state)
        make_folder(state / REGISTRY, 0o700)
        if complete:
            (state / REGISTRY / ASKED).touch(0o600)


def register(directory: Path, state: Path, data: bytes | None = None) -> Path:
    """Register a run that the user's own process creates; `data` is the start of its journal, or None if the journal
    already exists.

    Returns the path of the file for the journal's digest.

    Raises OSError, and ConfigError for a file system without owners and permissions, on which anyone could have written
    the entry.
    """
    if data is None:
        with open_journal(directory / "journal.jsonl") as file:
            data = file.read()
    entry = _entry(directory, state, data[: data.find(b"\n") + 1])
    make_folder(entry.parent, 0o700)
    write_digest(entry.with_suffix(DIGEST), data)
    _write(entry, directory, state)
    return entry.with_suffix(DIGEST)


def forget(directory: Path, state: Path) -> None:
    """Remove the registry entry of a run that is being deleted."""
    with suppress(OSError):
        entry = _entry(directory, state)
        entry.unlink()
        entry.with_suffix(DIGEST).unlink()


def digest_path(directory: Path, state: Path) -> Path | None:
    """Return the path of the file with the digest of a run's journal; None if the run is not registered here. Raises
    OSError and RunBroken."""
    entry = _entry(directory, state)
    return entry.with_suffix(DIGEST) if _read(entry) == _folder_id(directory) else None


def run_owner(directory: Path, state: Path) -> Owner:
    """Return who owns the run. Raises OSError and RunBroken for a journal that cannot be read."""
    entry = _entry(directory, state)
    registered = _read(entry)
    if registered and not _is_as_written(directory, entry):
        return "other"
    if registered == _folder_id(directory):
        return "user"
    among = directory.resolve().parent == (state / "runs").resolve()
    return "unknown" if among and (registered or not _is_asked(state)) else "other"


def is_own(directory: Path, trajectory: Trajectory, state: Path) -> bool:
    """Return whether the user created the run and all its content; false for a replay of an untrusted run.

    Raises the same errors as `run_owner`.
    """
    replayed = (note.data for note in trajectory.notes if note.kind == REPLAY)
    return run_owner(directory, state) == "user" and not any(data.get(UNTRUSTED) for data in replayed)


def record_answer(state: Path, is_users: bool) -> None:
    """Apply the user's answer about who owns the unknown runs in the state folder: register these runs, or remove their
    entries.

    Raises OSError and ConfigError.
    """
    make_folder(state / REGISTRY, 0o700)
    for directory in _started_runs(state):
        with suppress(RunBroken):
            if run_owner(directory, state) == "unknown":
                register(directory, state) if is_users else forget(directory, state)
    (state / REGISTRY / ASKED).touch(0o600)


def ask_for_owner(state: Path, directory: Path | None = None) -> None:
    """Ask the user once, at a terminal, who owns the runs in the state folder, if this run's owner is unknown.

    Without `directory`, the user is asked if the owner of any run is unknown. Raises OSError and ConfigError.
    """
    unasked = not _is_asked(state) and bool(_started_runs(state))
    if at_terminal() and (run_owner(directory, state) == "unknown" if directory else unasked):
        what = f"The runs in {state / 'runs'} are older than this version, or were moved."
        record_answer(state, confirm(what, "Did you create all of them?"))


def claim_output(out: Path, state: Path) -> Path:
    """Register the output folder of a batch or an evaluation, and create it if it does not exist.

    Call it before anything in the folder is read: otherwise other people's files would count as the user's results.
    Returns the path of the file with the digest of `results.jsonl`, which
    `extensions.lab.batch.reports.batch_results.ResultStore` checks.

    Raises UsageError for an unregistered folder that is not empty, unless the user confirms at a terminal that they
    created it; its runs are then registered too. Raises OSError and ConfigError as `register` does, and TryLater.
    """
    make_folder(out, 0o700)
    entry = state / REGISTRY / f"{OUTPUT}{sha256(os.fsencode(out.resolve())).hexdigest()}.json"
    digest = entry.with_suffix(DIGEST)
    if _is_registered(out, entry):
        return digest
    if any(path.name not in (OWNER, BEING_WRITTEN) for path in out.iterdir()):
        what = f"{out} is not empty, and is not registered as a folder that you created."
        if not confirm(what, "Did you create it, with all that is in it?"):
            raise UsageError(
                f"{out} is not empty and was not created by you on this computer.", "Choose another --out."
            )
    open_registry(state)
    with exclusive(entry.with_suffix(".lock"), LOCK_SECONDS, TryLater(f"Another process registers {out}.")):
        if not _is_registered(out, entry):
            _register_output(out, entry, state)
    return digest


def _register_output(out: Path, entry: Path, state: Path) -> None:
    """Register an output folder. The entry is written last: if this is interrupted, a folder that contains only the
    token still counts as empty."""
    for directory in _started_runs(out):
        with suppress(OSError, RunBroken):  # if a run cannot be read, the batch reports it
            register(directory, state)
    token, results = secrets.token_hex(32), out / RESULTS
    write_durably(out / OWNER, token.encode())
    JournalDigest(entry.with_suffix(DIGEST), results, results.stat().st_size if results.is_file() else 0).close()
    _write(entry, out, state, f" {token}")


def _is_registered(out: Path, entry: Path) -> bool:
    try:
        with open_regular(out / OWNER, inside=out) as file:
            token = file.read(MOST_BYTES).decode("ascii", "replace")
    except (OSError, RunBroken):
        return False
    return bool(token) and _read(entry) == f"{_folder_id(out)} {token}"


def _is_asked(state: Path) -> bool:
    return (state / REGISTRY / ASKED).exists()


def _started_runs(state: Path) -> list[Path]:
    """Return the runs in a state folder or an output folder that have a journal."""
    folders = (state / "runs").glob("[!.]*")
    return [folder for folder in folders if not folder.is_symlink() and (folder / "journal.jsonl").is_file()]


def _folder_id(directory: Path) -> str:
    """Return the folder's path and inode, since another folder may later have the same path."""
    return f"{directory.resolve()} {directory.stat().st_ino}"


def _entry(directory: Path, state: Path, first: bytes | None = None) -> Path:
    """Return the path of a run's entry, whose name is the digest of the run's name and first record."""
    digest = sha256(directory.resolve().name.encode("utf-8", "surrogateescape") + b"\n")
    if first is None:
        with open_journal(directory / "journal.jsonl") as file:
            first = file.readline()
    digest.update(first)
    return state / REGISTRY / f"{digest.hexdigest()}.json"


def _is_as_written(directory: Path, entry: Path) -> bool:
    """Return whether the journal matches its stored digest, with retries because another process may be writing the
    journal."""
    return any(is_as_written(directory, entry.with_suffix(DIGEST)) for _ in range(TRIES))


def _write(entry: Path, directory: Path, state: Path, token: str = "") -> None:
    make_folder(entry.parent, 0o700)
    write_durably(entry, json.dumps({"directory": _folder_id(directory) + token}).encode())
    if _read(entry) is None:
        what = f"{state} does not keep the owners and permissions of files."
        raise ConfigError(what, "Set SWE_AGENT_STATE to a folder on a local disk.")


def _read(entry: Path) -> str | None:
    """Return the folder that an entry contains; None if there is no entry or another user could have written it."""
    try:
        with entry.open("rb") as file:
            about = os.fstat(file.fileno())
            if about.st_uid != os.getuid() or stat.S_IMODE(about.st_mode) & 0o022:
                return None
            return str(json.loads(file.read(MOST_BYTES))["directory"])
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return None
