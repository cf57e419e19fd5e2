"""Whether this machine as a whole fails: then no other instance would fare better, and none is given up for it."""

from __future__ import annotations

import errno
import shutil
from contextlib import suppress
from pathlib import Path

from agent.batch.pulling import DiskFull
from agent.settings import Settings
from trajectories.errors import WorkspaceError

LEAST_ROOM = 64 << 20
"""Bytes."""
AGAIN = "then start the batch again."
EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOMEM}


def of_machine(error: BaseException) -> bool:
    """Whether the error says that this machine has no room, no files or no memory left."""
    cause = error.__cause__
    return isinstance(error, DiskFull) or (isinstance(cause, OSError) and cause.errno in EXHAUSTED)


def check_machine(settings: Settings) -> None:
    """Raises WorkspaceError where Docker's daemon does not answer, or where a disk of ours or of its is full."""
    for folder in [settings.state, *([_of_docker()] if settings.workspace == "docker" else [])]:
        with suppress(OSError):  # the daemon may be on another machine
            if shutil.disk_usage(folder).free < LEAST_ROOM:
                raise WorkspaceError(f"The disk of {folder} is full.", f"Make room, {AGAIN}")


def _of_docker() -> Path:
    """Where the daemon keeps what it has."""
    from aci.daemon import connect, trouble

    daemon = connect()
    try:
        with trouble(f"See `swe-agent doctor`, {AGAIN}"):
            return Path(daemon.client.info()["DockerRootDir"])
    finally:
        daemon.client.close()
