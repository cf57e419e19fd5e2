"""Free space of the disk on which a Docker daemon keeps containers.

It bounds what the daemon does not count, above all files that were removed while a process has them open. A floor of
free space raises no false alarm while containers, or other programs, write to the same disk what they may; a bound on
how fast free space falls would. The processes of a container cannot be asked instead: an ordinary user may not read
their `/proc/<pid>/fd`, and what a program inside the container reports can be forged.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aci.daemon import Daemon

RESERVE = 1 << 30
"""Bytes that stay free, or half of what was free if that is less."""

_CONTAINERD = "/var/lib/containerd"  # its default; Docker does not report the folder
_SNAPSHOTTER = ["driver-type", "io.containerd.snapshotter.v1"]

_folders: dict[str, tuple[str, ...]] = {}


class DiskSpace:
    """Tells whether the disks of these folders are nearly full; never, if there are none."""

    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = folders
        self.free = self.floor = 0
        self.is_short()

    def is_short(self) -> bool:
        """Whether less than `floor` bytes are `free` to ordinary users, on the fullest of the disks.

        The floor rises with the free space, up to the reserve.
        """
        try:
            self.free = min(map(free_bytes, self._folders))
        except (OSError, ValueError):  # the disk was unmounted; there is none
            return False
        self.floor = max(self.floor, reserve(self.free))
        return self.free < self.floor

    def lower_floor(self) -> None:
        """Accept the present space as all that can be had: another program may have filled the disk."""
        self.floor = 0
        self.is_short()


def reserve(free: int) -> int:
    """How many of these free bytes should stay free."""
    return min(RESERVE, free // 2)


def free_bytes(folder: str) -> int:
    """Bytes that ordinary users can still write to the disk of a folder."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def data_folders(daemon: Daemon) -> tuple[str, ...]:
    """Folders on the disks to which the daemon's containers write; none if the daemon is on another machine.

    The user need not be able to read them, only to reach the folder above.
    """
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    if daemon.address not in _folders:
        with suppress(DockerException, RequestException):
            _folders[daemon.address] = local_folders(daemon.client.info())
    return _folders.get(daemon.address, ())


def local_folders(info: Mapping[str, Any]) -> tuple[str, ...]:
    """The same from what the daemon reports of itself. Its name is its machine's, or that of its virtual machine."""
    if info.get("Name") != platform.node():
        return ()
    folders = [info.get("DockerRootDir"), _CONTAINERD if _SNAPSHOTTER in (info.get("DriverStatus") or ()) else None]
    return tuple(found for folder in folders if folder and (found := _reachable(folder)))


def _reachable(folder: str) -> str:
    """The folder, or the nearest one above it if the user may not reach it; empty if it does not exist."""
    try:
        os.statvfs(folder)
    except PermissionError:
        return _reachable(str(Path(folder).parent))
    except OSError:
        return ""
    return folder
