"""Which run folders are the user's own: each is registered in the state folder when it is created.

Any other run folder is untrusted: see `agent/untrusted_run.py` for what of it is used.
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from agent.terminal import at_terminal, confirm
from trajectories.journal import write_durably
from trajectories.plumbing import make_folder

Owner = Literal["user", "unknown", "other"]
"""`unknown`: it lies among the user's runs, but the state folder was moved since, or it is older than the registry."""

REGISTRY = "own-runs"
ASKED = "asked"
"""A file in the registry: no run from before the registry is there, or the user has said whose they are."""
MOST_BYTES = 10_000
"""Of an entry."""


def register(directory: Path, state: Path) -> None:
    """Record that the user's own process created this run. Raises OSError."""
    entry = _entry(directory, state)
    if not entry.parent.is_dir():
        others = [each for each in _begun(state) if each.name != directory.name]
        make_folder(entry.parent, 0o700)
        if not others:
            (entry.parent / ASKED).touch(0o600)
    about = {"directory": str(directory.resolve()), "first": _digest(directory)}
    write_durably(entry, json.dumps(about).encode())


def forget(directory: Path, state: Path) -> None:
    """Remove the entry of a run that is removed."""
    with suppress(OSError):
        _entry(directory, state).unlink()


def owner(directory: Path, state: Path) -> Owner:
    """Whose run this is. Raises OSError for a journal that cannot be read."""
    entry = _read(_entry(directory, state))
    same = entry is not None and entry.get("first") == _digest(directory)
    if same and entry is not None and entry.get("directory") == str(directory.resolve()):
        return "user"
    among = directory.resolve().parent == (state / "runs").resolve()
    return "unknown" if among and (same or not _is_asked(state)) else "other"


def answered(state: Path, theirs: bool) -> None:
    """Keep the user's answer to whose the runs in the state folder are; if `theirs`, register each. Raises OSError."""
    for directory in _begun(state) if theirs else ():
        register(directory, state)
    make_folder(state / REGISTRY, 0o700)
    (state / REGISTRY / ASKED).touch(0o600)


def ask_whose(state: Path, directory: Path | None = None) -> None:
    """At a terminal, ask the user once whether the runs in the state folder are theirs, where the registry does not say
    of this run, or of any if None. Raises OSError."""
    unknown = owner(directory, state) == "unknown" if directory else bool(not _is_asked(state) and _begun(state))
    if unknown and at_terminal():
        what = f"The runs in {state / 'runs'} are older than this version, or were moved."
        answered(state, confirm(what, "Did you create all of them?"))


def _is_asked(state: Path) -> bool:
    return (state / REGISTRY / ASKED).exists()


def _begun(state: Path) -> list[Path]:
    folders = (state / "runs").glob("[!.]*")
    return [folder for folder in folders if not folder.is_symlink() and (folder / "journal.jsonl").is_file()]


def _entry(directory: Path, state: Path) -> Path:
    return state / REGISTRY / f"{directory.resolve().name}.json"


def _digest(directory: Path) -> str:
    """Of the run's first record, as the journal holds it."""
    digest = sha256()
    with (directory / "journal.jsonl").open("rb") as file:
        digest.update(file.readline())
    return digest.hexdigest()


def _read(entry: Path) -> dict[str, Any] | None:
    """An entry that only the user can have written; None where there is none."""
    try:
        with entry.open("rb") as file:
            about = os.fstat(file.fileno())
            if about.st_uid != os.getuid() or stat.S_IMODE(about.st_mode) & 0o022:
                return None
            found = json.loads(file.read(MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
