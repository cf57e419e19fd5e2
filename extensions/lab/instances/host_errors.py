"""Detection of failures of the whole machine, which would affect every instance; no instance is abandoned because of
them."""

from __future__ import annotations

import errno
import shutil
from contextlib import suppress
from pathlib import Path

from agent.config.settings import Settings
from extensions.lab.instances.image_registry import DiskFull
from trajectories.errors import WorkspaceError

LEAST_ROOM = 64 << 20
"""Minimum number of bytes of free disk space that a batch needs."""
AGAIN = "then start the batch again."
EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOMEM}


def is_machine_error(error: BaseException) -> bool:
    """Whether the error means that this machine is out of disk space, file handles or memory."""
    cause = error.__cause__
    return isinstance(error, DiskFull) or (isinstance(cause, OSError) and cause.errno in EXHAUSTED)


def check_machine(settings: Settings) -> None:
    """Raise WorkspaceError if Docker's daemon does not answer, or if the batch's or Docker's disk is full."""
    for folder in [settings.state, *([_docker_root()] if settings.workspace == "docker" else [])]:
        with suppress(OSError):  # the daemon may be on another machine
            if shutil.disk_usage(folder).free < LEAST_ROOM:
                raise WorkspaceError(f"The disk of {folder} is full.", f"Free disk space, {AGAIN}")


def _docker_root() -> Path:
    """Return the folder where the daemon stores its data."""
    from aci.docker.docker_daemon import connect, docker_errors

    daemon = connect()
    try:
        with docker_errors(f"See `swe-agent doctor`, {AGAIN}"):
            return Path(daemon.client.info()["DockerRootDir"])
    finally:
        daemon.client.close()
