"""A limit on the total size of a container's files, which a thread checks, since few storage drivers have quotas.

The daemon counts what the container has written (not its image), so no program inside can falsify it. If usage exceeds
the limit, all processes in the container are ended, and the session reports it. If usage exceeds twice the limit, the
container is removed.

Usage that the daemon does not count is limited by the free space of its disk: if this falls below a floor, all
processes in the container are ended, which frees removed files that were still open. If the disk continues to fill up,
the container is removed, which frees directories (those of ext4 never shrink) and extended attributes.
"""

from __future__ import annotations

import time
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from aci.docker.disk_space import DiskSpace, data_folders
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
        found = api.containers(all=True, size=True, filters={"id": self._id})
        taken = int(found[0].get("SizeRw") or 0) if found else 0
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
