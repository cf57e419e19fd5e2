"""Ownership of run folders and output folders: which of them the user created.

Each is registered in the state folder when it is created, with a digest of each run's journal and of each batch's
results. Any other run folder is untrusted: `agent/runs/untrusted_run.py` defines which parts of it are used. Any other
output folder of `batch` or `evaluate` is refused.
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
from trajectories.journal import is_as_written, open_journal, write_durably
from trajectories.journal_digest import JournalDigest, write_digest
from trajectories.run_comparison import REPLAY
from trajectories.trajectory import Trajectory

Owner = Literal["user", "unknown", "other"]
"""`unknown`: the run is in the user's folder of runs, but the state folder was moved since, or the run is older than
the registry."""

UNTRUSTED = "untrusted"
"""Key in the data of a replay's note, set if the original run is not the user's own."""
REGISTRY = "own-runs"
ASKED = "asked"
"""A file in the registry. It exists if there were no unregistered runs, or the user has answered."""
DIGEST = ".digest"
TRIES = 5
OUTPUT = "output-"
"""Prefix of the name of an output folder's entry."""
RESULTS = "results.jsonl"
"""The one file in the output folder of a batch whose digest is stored."""
OWNER = ".swe-agent-owner"
"""A file with a random token in an output folder; the folder's entry holds the same token, since a folder from an
archive may get the path and the inode of a removed folder."""
BEING_WRITTEN = f".{OWNER}.new"
LOCK_SECONDS = 10
MOST_BYTES = 10_000
"""Maximum number of bytes in an entry."""


def open_registry(state: Path) -> None:
    """Create the registry before the first run is registered. Raises OSError."""
    if not (state / REGISTRY).is_dir():
        complete = not _started_runs(state)
        make_folder(state / REGISTRY, 0o700)
        if complete:
            (state / REGISTRY / ASKED).touch(0o600)


def register(directory: Path, state: Path, data: bytes | None = None) -> Path:
    """Record that the user's own process creates this run, whose journal will start with `data` or already exists.

    Returns the file for the journal's digest.

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
    """Remove the entry of a run that is deleted."""
    with suppress(OSError):
        entry = _entry(directory, state)
        entry.unlink()
        entry.with_suffix(DIGEST).unlink()


def digest_path(directory: Path, state: Path) -> Path | None:
    """Return the file with the digest of a registered run's journal; None if it is not registered here. Raises OSError
    and RunBroken."""
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
    """Return whether the user created the run and all its content: a replay repeats the results of another run.

    Raises the same errors as `run_owner`.
    """
    replayed = (note.data for note in trajectory.notes if note.kind == REPLAY)
    return run_owner(directory, state) == "user" and not any(data.get(UNTRUSTED) for data in replayed)


def record_answer(state: Path, is_users: bool) -> None:
    """Store the user's answer on who owns the runs in the state folder: register each, or forget those registered
    elsewhere.

    Raises OSError and ConfigError.
    """
    make_folder(state / REGISTRY, 0o700)
    for directory in _started_runs(state):
        with suppress(RunBroken):
            if run_owner(directory, state) == "unknown":
                register(directory, state) if is_users else forget(directory, state)
    (state / REGISTRY / ASKED).touch(0o600)


def ask_for_owner(state: Path, directory: Path | None = None) -> None:
    """Ask the user once, at a terminal, who owns the runs in the state folder, if the registry does not know this run's
    owner.

    Without `directory` it asks if any run is unknown. Raises OSError and ConfigError.
    """
    unasked = not _is_asked(state) and bool(_started_runs(state))
    if at_terminal() and (run_owner(directory, state) == "unknown" if directory else unasked):
        what = f"The runs in {state / 'runs'} are older than this version, or were moved."
        record_answer(state, confirm(what, "Did you create all of them?"))


def claim_output(out: Path, state: Path) -> Path:
    """Register the output folder of a batch or an evaluation, which is created if it is missing.

    Call it before anything in the folder is read: otherwise other people's files would count as the user's results.
    Returns the file with the digest of its `results.jsonl`; `agent.batch.reports.batch_results.ResultStore` compares
    them.

    A folder that is neither registered nor empty is refused (UsageError), unless the user, asked once at a terminal,
    says that they created it; then its runs are registered too. Raises OSError and ConfigError as `register` does, and
    TryLater.
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
    """Register an output folder. The entry is written last: without it, a folder with only the token still counts as
    empty."""
    for directory in _started_runs(out):
        with suppress(OSError, RunBroken):  # the run cannot be read; the batch reports it
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
    """Return the runs in a state folder or an output folder."""
    folders = (state / "runs").glob("[!.]*")
    return [folder for folder in folders if not folder.is_symlink() and (folder / "journal.jsonl").is_file()]


def _folder_id(directory: Path) -> str:
    """Return the folder and its inode: another folder may later have the name of a removed one."""
    return f"{directory.resolve()} {directory.stat().st_ino}"


def _entry(directory: Path, state: Path, first: bytes | None = None) -> Path:
    """Return the path of a run's entry, named by the digest of the run's name and its first record."""
    digest = sha256(directory.resolve().name.encode("utf-8", "surrogateescape") + b"\n")
    if first is None:
        with open_journal(directory / "journal.jsonl") as file:
            first = file.readline()
    digest.update(first)
    return state / REGISTRY / f"{digest.hexdigest()}.json"


def _is_as_written(directory: Path, entry: Path) -> bool:
    """Return whether the journal matches its stored digest; the check is retried, since another process may be writing
    the journal."""
    return any(is_as_written(directory, entry.with_suffix(DIGEST)) for _ in range(TRIES))


def _write(entry: Path, directory: Path, state: Path, token: str = "") -> None:
    make_folder(entry.parent, 0o700)
    write_durably(entry, json.dumps({"directory": _folder_id(directory) + token}).encode())
    if _read(entry) is None:
        what = f"{state} does not keep the owners and permissions of files."
        raise ConfigError(what, "Set SWE_AGENT_STATE to a folder on a local disk.")


def _read(entry: Path) -> str | None:
    """Return the folder in an entry that only the user can have written; None if there is none."""
    try:
        with entry.open("rb") as file:
            about = os.fstat(file.fileno())
            if about.st_uid != os.getuid() or stat.S_IMODE(about.st_mode) & 0o022:
                return None
            return str(json.loads(file.read(MOST_BYTES))["directory"])
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return None
