"""The free space of the disk on which a Docker daemon stores containers.

It limits what the daemon does not count, above all files that were removed while a process has them open. Unlike a
limit on how fast free space falls, a floor of free space gives no false alarm if containers or other programs write to
the same disk. The processes of a container cannot be inspected instead: an ordinary user may not read their
`/proc/<pid>/fd`, and a program inside the container could be made to report wrong values.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aci.docker.docker_daemon import Daemon

RESERVE = 1 << 30
"""The number of bytes that must remain free, or half of the free space if that is less."""

_CONTAINERD = "/var/lib/containerd"  # containerd's default folder, since Docker does not report the actual one
_SNAPSHOTTER = ["driver-type", "io.containerd.snapshotter.v1"]

_folders: dict[str, tuple[str, ...]] = {}


class DiskSpace:
    """The free space on the disks of these folders, and whether one of them is nearly full. Without folders, no disk
    counts as nearly full."""

    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = folders
        self.free = self.floor = 0
        self.is_short()

    def is_short(self) -> bool:
        """Return whether fewer than `floor` bytes are `free` to ordinary users on the fullest disk.

        The floor rises with the free space, up to the reserve.
        """
        try:
            self.free = min(map(free_bytes, self._folders))
        except (OSError, ValueError):  # a disk was unmounted, or there are no folders
            return False
        self.floor = max(self.floor, reserve(self.free))
        return self.free < self.floor

    def reset_floor(self) -> None:
        """Recompute the floor from the current free space, since another program may have filled the disk."""
        self.floor = 0
        self.is_short()


def reserve(free: int) -> int:
    """Return how many of these free bytes should remain free."""
    return min(RESERVE, free // 2)


def free_bytes(folder: str) -> int:
    """Return how many bytes ordinary users can still write to the disk of a folder."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def data_folders(daemon: Daemon) -> tuple[str, ...]:
    """Return folders on the disks to which the daemon's containers write; none if it runs on another machine.

    The user need not be able to read them.
    """
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    if daemon.address not in _folders:
        with suppress(DockerException, RequestException):
            _folders[daemon.address] = local_folders(daemon.client.info())
    return _folders.get(daemon.address, ())


def local_folders(info: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the folders in the daemon's info that are on this machine. The daemon reports the host name of its machine
    or virtual machine, which is compared with this machine's."""
    if info.get("Name") != platform.node():
        return ()
    folders = [info.get("DockerRootDir"), _CONTAINERD if _SNAPSHOTTER in (info.get("DriverStatus") or ()) else None]
    return tuple(found for folder in folders if folder and (found := _reachable(folder)))


def _reachable(folder: str) -> str:
    """Return the folder, or its nearest parent that the user may access; empty if it does not exist."""
    try:
        os.statvfs(folder)
    except PermissionError:
        return _reachable(str(Path(folder).parent))
    except OSError:
        return ""
    return folder
