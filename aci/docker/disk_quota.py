"""Limits on the disk usage of a container, which a thread checks, since few storage drivers have quotas.

The total size of a container's files is limited: the daemon counts what it has written (not its image), so no program
inside can falsify it. If usage exceeds the limit, all processes in the container are ended, and the session reports it.
If usage exceeds twice the limit, the container is removed.

Usage that the daemon does not count is limited by the free space of its disk: if this falls below a floor, all
processes in the container are ended, which frees removed files that were still open. If the disk continues to fill up,
the container is removed, which frees directories (those of ext4 never shrink) and extended attributes. Unlike a limit
on how fast free space falls, a floor of free space gives no false alarm if containers or other programs write to the
same disk. The processes of a container cannot be inspected instead: an ordinary user may not read their
`/proc/<pid>/fd`, and a program inside the container could be made to report wrong values.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

from trajectories.errors import WorkspaceError

if TYPE_CHECKING:
    from docker import APIClient

    from aci.docker.docker_daemon import Daemon


CHECK_INTERVAL = 1.0
"""Minimum number of seconds between two checks; a slow check is followed by a pause of four times its duration, so that
checks use at most a fifth of a processor.
"""

BYTES_PER_FILE = 10 << 10
"""The number of bytes of the disk limit that allow one file: a limit of 10 GiB allows a million files, including empty
ones."""

_SPACE_INTERVAL = 0.1  # seconds between two checks of the free space, each of which takes microseconds
# Seconds per file on a fast machine: files are counted if a check takes longer than the allowed number of files would.
_SLOW = 1e-6
_GROWN = 1.2
_BEYOND = 1.05  # tolerated growth factor after processes were ended, since removing files may write a little
_RECENTLY = 10.0
_PATH = b'"Path"'

_freeing_space = Lock()
"""Held while one container is stopped for lack of space, since stopping it may free enough space for the others."""


class DiskWatch:
    """A thread that limits the disk usage of the container `id`."""

    def __init__(self, daemon: Daemon, id: str, limit: int) -> None:
        self.limit, self.most_files = limit, limit // BYTES_PER_FILE
        self._daemon, self._id = daemon, id
        self._allowed = 1.0  # allowed share of the limit: above 1 until the excess files have been removed
        self._space = DiskSpace(data_folders(daemon))
        self._shortage = 0  # the floor that free space fell below; 0 again once that much is free
        self._counted, self._slowest = 0, 0.0
        self._ended = self._ended_short = -_RECENTLY
        self._notice = b""
        self._ending, self._stop = Lock(), Event()
        self._thread = Thread(target=self._watch, name="disk-watch", daemon=True)
        self._thread.start()

    def allow(self, more: int) -> None:
        """Raise the limit by `more` bytes."""
        self.limit += more
        self.most_files = self.limit // BYTES_PER_FILE

    def notice(self) -> bytes:
        """Return the message that the session should report once; empty if there is none."""
        with self._ending:
            notice, self._notice = self._notice, b""
        return notice

    def has_just_ended_all(self) -> bool:
        """Return whether all processes in the container were ended in the last few seconds; if they are being ended,
        wait first."""
        with self._ending:
            return time.monotonic() - self._ended < _RECENTLY

    def was_short(self, since: float) -> bool:
        """Return whether all processes were ended after `since` because the daemon's disk was short of space."""
        with self._ending:
            return self._ended_short >= since

    @property
    def is_full(self) -> bool:
        """Whether usage was beyond the limit at the last check."""
        return self._allowed > 1.0

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(_RECENTLY)

    def _watch(self) -> None:
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        pause = CHECK_INTERVAL
        while self._wait(pause):
            began = time.monotonic()
            try:
                other = self._daemon.again()  # another thread uses the run's own client
                try:
                    self._check_space(other.client.api)
                    self._check_usage(other.client.api)
                finally:
                    other.rest()
            except (DockerException, RequestException, WorkspaceError):
                pass  # the container or the daemon is gone, which its next use will report
            pause = max(CHECK_INTERVAL, 4 * (time.monotonic() - began))

    def _wait(self, seconds: float) -> bool:
        """Wait `seconds`, or until the disk is short of space. Return false if the watch was stopped."""
        end = time.monotonic() + seconds
        while not self._stop.wait(_SPACE_INTERVAL):
            if time.monotonic() >= end or self._space.is_short():
                return True
        return False

    def _check_space(self, api: APIClient) -> None:
        """End all processes if the disk is short of space; remove the container if it is still short afterwards."""
        space = self._space
        if not space.is_short():
            if space.floor >= self._shortage:
                self._shortage = 0
            return
        with _freeing_space:
            if not space.is_short():
                return
            free, floor = (f"{number / 2**20:,.0f} MiB" for number in (space.free, space.floor))
            text = f"only {free} are free where Docker writes, {floor} must be"
            if self._shortage:
                self._stop.set()
                self._remove(api, text)
            else:
                shortage = space.floor
                self._end(api, text, self._allowed, short=True)
                self._shortage = shortage
                space.reset_floor()

    def _check_usage(self, api: APIClient) -> None:
        began = time.monotonic()
        listed = api.containers(all=True, size=True, filters={"id": self._id})
        taken = int(listed[0].get("SizeRw") or 0) if listed else 0
        files = self._files(api, time.monotonic() - began)
        share = max(taken / self.limit, files / self.most_files)
        if share <= 1.0:
            self._allowed = 1.0
        elif share > max(2.0, self._allowed) and self._allowed > 1.0:
            self._stop.set()
            self._remove(api, _usage_text(taken, files, self.limit, self.most_files))
        elif share > self._allowed:
            self._end(api, _usage_text(taken, files, self.limit, self.most_files), share * _BEYOND)

    def _files(self, api: APIClient, seconds: float) -> int:
        """Return the number of files written, as last counted. Files are counted again only if checks become slow, or
        slower than at the last count."""
        if seconds > max(self.most_files * _SLOW, self._slowest * _GROWN) or self._allowed > 1.0:
            address = f"{api.base_url}/v{api.api_version}/containers/{self._id}/changes"
            with api.get(address, stream=True, timeout=600) as answer:
                last, self._counted = b"", 0
                for chunk in answer.iter_content(1 << 16):
                    self._counted += (last + chunk).count(_PATH)
                    last = chunk[-len(_PATH) + 1 :]
            self._slowest = seconds
        return self._counted

    def _end(self, api: APIClient, reason: str, allowed: float, short: bool = False) -> None:
        with self._ending:
            try:
                api.restart(self._id, timeout=0)
            finally:
                if short:
                    self._ended_short = time.monotonic()
            self._allowed, self._ended = allowed, time.monotonic()
            notice = f"[The disk is full: {reason}. All processes were ended. Remove files before you continue.]\n"
            self._notice = notice.encode()

    def _remove(self, api: APIClient, reason: str) -> None:
        with self._ending:
            api.remove_container(self._id, force=True, v=True)
            self._ended = -_RECENTLY
            self._notice = f"[The disk is full: {reason}. The workspace was removed.]\n".encode()


def _usage_text(taken: int, files: int, limit: int, most_files: int) -> str:
    what = f"{taken / 2**20:,.0f} MiB" if taken > limit else f"{files:,} files"
    return f"{what} were written; the limit is {limit / 2**20:,.0f} MiB and {most_files:,} files"


RESERVED_BYTES = 1 << 30
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
    return min(RESERVED_BYTES, free // 2)


def free_bytes(folder: str) -> int:
    """Return how many bytes ordinary users can still write to the disk of a folder."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


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
    return tuple(reachable for folder in folders if folder and (reachable := _reachable(folder)))


def _reachable(folder: str) -> str:
    """Return the folder, or its nearest parent that the user may access; empty if it does not exist."""
    try:
        os.statvfs(folder)
    except PermissionError:
        return _reachable(str(Path(folder).parent))
    except OSError:
        return ""
    return folder
