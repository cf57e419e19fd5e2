"""Temporary folders of local workspaces and of processes, and their removal once the process has ended."""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from aci.repository import process_owner
from trajectories.temporary_folders import PROCESS_PREFIX, is_in_use

LOCAL_PREFIX = "swe-agent-local-"
"""The prefix of the folders of local workspaces. Each has a file `owner`."""

_STARTING = 60.0


def dead_folders() -> Iterator[Path]:
    """Yield the folders of local workspaces, and the temporary folders, whose process has ended."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PROCESS_PREFIX}*"):
        with suppress(OSError):
            found = folder.lstat()
            if is_private(found) and time.time() - found.st_mtime > _STARTING and not is_in_use(folder):
                yield folder
    for folder in Path(tempfile.gettempdir()).glob(f"{LOCAL_PREFIX}*"):
        with suppress(OSError, ValueError):
            if is_private(folder.lstat()) and process_owner.has_ended((folder / "owner").read_text()):
                yield folder


def remove_folder(folder: Path) -> None:
    """Remove a folder that may contain read-only folders or thousands of nested levels, which rm handles without
    recursion."""
    open_up = ["chmod", "-R", "u+rwX", "--", str(folder)]
    for command in (["rm", "-rf", "--", str(folder)], open_up, ["rm", "-rf", "--", str(folder)]):
        if folder.exists():
            subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, start_new_session=True)


def is_private(found: os.stat_result) -> bool:
    """Return whether this is a folder rather than a link, belongs to this user, and is inaccessible to other users."""
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) == 0o700
