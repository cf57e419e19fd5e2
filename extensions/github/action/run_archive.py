"""The archive of a run's folder that one job leaves for a later follow-up.

It is passed on as an artifact; artifacts have no links and no empty folders, and they may come from anyone. Only the
journal, the outputs and the git objects are restored from it: by name, as plain files, up to a size limit.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from trajectories.errors import UsageError, WorkspaceError
from trajectories.git_store.trees import Trees

if TYPE_CHECKING:
    from agent.engine.engine import Engine

NAMES = re.compile(
    r"journal\.jsonl|out/[0-9]{1,9}|trees\.git/objects/(?:[0-9a-f]{2}/[0-9a-f]{38}|pack/pack-[0-9a-f]{40}\.(?:pack|idx))"
)
MOST_FILES = 200_000
MOST_BYTES = 2_000_000_000


def archive_run(engine: Engine, target: Path, diff: bytes, pictures: Iterable[str] = ()) -> Path | None:
    """Copy the open run's folder, the patch and the named files in the folder `pictures`, which people look at and
    nothing restores; return None if that fails or the run contains a secret."""
    source = engine.journal.directory
    shutil.rmtree(target, ignore_errors=True)
    try:
        if _contains_secret(source, engine.secrets):
            return None
        for name, file in _files(source):
            _copy(file, target / name)
        for name in pictures:
            _copy(source / name, target / name)
        (target / "patch.diff").write_bytes(diff)
    except (OSError, UsageError):
        shutil.rmtree(target, ignore_errors=True)
        return None
    return target


def restore_run(source: Path, target: Path) -> None:
    """Restore a run's folder from an archive. Raises UsageError if the archive is too large."""
    try:
        for name, file in _files(source):
            _copy(file, target / name)
        (target / "out").mkdir(exist_ok=True)
        with Trees(target / "trees.git"):
            pass  # creates the missing files of the store
    except OSError as error:
        raise WorkspaceError(f"The earlier run cannot be copied: {error.strerror or error}.", "Make room.") from error


def _files(source: Path) -> Iterator[tuple[str, Path]]:
    """Yield the name and path of each file that belongs to a run; links and unknown files are skipped."""
    count = total = 0
    for folder, folders, files in os.walk(source, followlinks=False):
        folders[:] = sorted(name for name in folders if not (Path(folder) / name).is_symlink())
        for file in (Path(folder) / name for name in sorted(files)):
            name = file.relative_to(source).as_posix()
            if not NAMES.fullmatch(name) or file.is_symlink() or not file.is_file():
                continue
            count, total = count + 1, total + file.stat().st_size
            if count > MOST_FILES or total > MOST_BYTES:
                raise UsageError("The earlier run is too large.", "Ask again in the issue, for a new one.")
            yield name, file


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.copyfile(source, target, follow_symlinks=False)


def _contains_secret(source: Path, secrets: tuple[str, ...]) -> bool:
    """Whether the journal or an output contains a secret's value."""
    values = [secret.encode() for secret in secrets]
    return any(
        value in data
        for name, file in _files(source)
        if not name.startswith("trees.git/")
        for data in [file.read_bytes()]
        for value in values
    )
