"""A bound on what a container's files take together; storage drivers with a quota are rare, so a thread looks.

The daemon counts what the container has written (not what its image holds), so nothing that runs inside can lie about
it. Past the limit all that runs is ended and the session is told; who goes on to twice the limit loses the container.

The free space of the daemon's disk bounds what the daemon does not count: below a floor all processes in the container
are ended, which frees the files that were removed while open. If the disk goes on to fill up, the container is removed,
which frees directories (those of ext4 never shrink) and extended attributes.
"""

from __future__ import annotations

import time
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from aci.disk_space import DiskSpace, data_folders
from trajectories.errors import WorkspaceError

if TYPE_CHECKING:
    from docker import APIClient

    from aci.daemon import Daemon

TICK = 1.0
"""Seconds between two looks, or four times what a look takes: counting costs a fifth of a processor at most."""

BYTES_A_FILE = 10 << 10
"""So many bytes of the limit allow one file more: 10 GiB go with a million files, empty ones too."""

_GLANCE = 0.1  # seconds between two checks of the free space, each takes some microseconds
_SLOW = 1e-6  # seconds a file takes to count on a quick machine; files are counted when a look takes longer
_GROWN = 1.2
_BEYOND = 1.05  # of what was there when it ended: who removes files may write a little
_LATELY = 10.0
_PATH = b'"Path"'

_freeing_space = Lock()
"""Held while one container is ended for lack of space: it may free enough for the others to go on."""


class DiskWatch:
    """Looks after the container `id` until it is stopped."""

    def __init__(self, daemon: Daemon, id: str, limit: int) -> None:
        self.limit, self.most_files = limit, limit // BYTES_A_FILE
        self._daemon, self._id = daemon, id
        self._allowed = 1.0  # of the limit; more while what lies there has not been removed yet
        self._space = DiskSpace(data_folders(daemon))
        self._shortage = 0  # the floor below which space fell; 0 again once that much space came back
        self._counted, self._slowest = 0, 0.0
        self._ended = self._ended_short = -_LATELY
        self._notice = b""
        self._ending, self._stop = Lock(), Event()
        self._thread = Thread(target=self._watch, name="disk-watch", daemon=True)
        self._thread.start()

    def allow(self, more: int) -> None:
        """Raise the limit by so many bytes."""
        self.limit += more
        self.most_files = self.limit // BYTES_A_FILE

    def notice(self) -> bytes:
        """What the session is to be told, once; empty if there is nothing."""
        with self._ending:
            notice, self._notice = self._notice, b""
        return notice

    def has_just_ended_all(self) -> bool:
        """Whether everything in the container was ended a moment ago; waits for that to be done."""
        with self._ending:
            return time.monotonic() - self._ended < _LATELY

    def was_short(self, since: float) -> bool:
        """Whether everything in the container was ended after `since` because the daemon's disk was short of space."""
        with self._ending:
            return self._ended_short >= since

    @property
    def is_full(self) -> bool:
        """Whether the last look found the limit passed."""
        return self._allowed > 1.0

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(_LATELY)

    def _watch(self) -> None:
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        pause = TICK
        while self._wait(pause):
            began = time.monotonic()
            try:
                other = self._daemon.again()  # the run's own client serves another thread
                try:
                    self._check_space(other.client.api)
                    self._look(other.client.api)
                finally:
                    other.rest()
            except (DockerException, RequestException, WorkspaceError):
                pass  # the container is gone, or the daemon is: whoever uses it next is told
            pause = max(TICK, 4 * (time.monotonic() - began))

    def _wait(self, seconds: float) -> bool:
        """Wait for so long, or until the disk is short of space. False if the watch was stopped."""
        end = time.monotonic() + seconds
        while not self._stop.wait(_GLANCE):
            if time.monotonic() >= end or self._space.is_short():
                return True
        return False

    def _check_space(self, api: APIClient) -> None:
        """End everything if the disk is short of space, and remove the container if that has not helped for long."""
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
                space.lower_floor()

    def _look(self, api: APIClient) -> None:
        began = time.monotonic()
        found = api.containers(all=True, size=True, filters={"id": self._id})
        taken = int(found[0].get("SizeRw") or 0) if found else 0
        files = self._files(api, time.monotonic() - began)
        share = max(taken / self.limit, files / self.most_files)
        if share <= 1.0:
            self._allowed = 1.0
        elif share > max(2.0, self._allowed) and self._allowed > 1.0:
            self._stop.set()
            self._remove(api, _said(taken, files, self.limit, self.most_files))
        elif share > self._allowed:
            self._end(api, _said(taken, files, self.limit, self.most_files), share * _BEYOND)

    def _files(self, api: APIClient, seconds: float) -> int:
        """How many files were written: counted when a look has begun to take long, and again when longer still."""
        if seconds > max(self.most_files * _SLOW, self._slowest * _GROWN) or self._allowed > 1.0:
            address = f"{api.base_url}/v{api.api_version}/containers/{self._id}/changes"
            with api.get(address, stream=True, timeout=600) as answer:
                last, self._counted = b"", 0
                for chunk in answer.iter_content(1 << 16):
                    self._counted += (last + chunk).count(_PATH)
                    last = chunk[-len(_PATH) + 1 :]
            self._slowest = seconds
        return self._counted

    def _end(self, api: APIClient, said: str, allowed: float, short: bool = False) -> None:
        with self._ending:
            try:
                api.restart(self._id, timeout=0)
            finally:
                if short:
                    self._ended_short = time.monotonic()
            self._allowed, self._ended = allowed, time.monotonic()
            told = f"[The disk is full: {said}. All processes were ended. Remove files before you go on.]\n"
            self._notice = told.encode()

    def _remove(self, api: APIClient, said: str) -> None:
        with self._ending:
            api.remove_container(self._id, force=True, v=True)
            self._ended = -_LATELY
            self._notice = f"[The disk is full: {said}. The workspace was removed.]\n".encode()


def _said(taken: int, files: int, limit: int, most_files: int) -> str:
    what = f"{taken / 2**20:,.0f} MiB" if taken > limit else f"{files:,} files"
    return f"{what} were written, {limit / 2**20:,.0f} MiB and {most_files:,} files may be"
