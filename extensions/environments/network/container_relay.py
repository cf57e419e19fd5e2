"""The host's end of a relay in a container: it answers connections that were opened there, with one thread for each."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from threading import BoundedSemaphore, Event, Thread, current_thread
from typing import NamedTuple

from aci.runtime.guest_programs import program_source
from aci.runtime.process_channel import ProgramStarter
from extensions.environments.guest.connection_relay import CONNECTIONS, Broken, Link
from trajectories.errors import WorkspaceError

_START = 30.0  # time limit in seconds for the relay to start
_END = 5.0  # seconds for a process or thread to end
_THREADS = 2 * CONNECTIONS  # a connection that is closed in the container may not be closed here yet
_NONE = 97
_SHELL = f"""\
for it in python3 python /usr/libexec/platform-python; do
    "$it" -c 'import os, select, socket, struct, sys, typing; sys.exit(sys.version_info < (3, 6))' \\
        </dev/null >/dev/null 2>&1 && exec "$it" -I -S -c "$1" 2>/dev/null
done
perl -MSocket -MFcntl -MErrno -e 1 </dev/null >/dev/null 2>&1 && exec perl -e "$2" 2>/dev/null
for it in node nodejs; do
    "$it" -e 0 </dev/null >/dev/null 2>&1 && exec "$it" -e "$3" 2>/dev/null
done
exit {_NONE}
"""


class Programs(NamedTuple):
    """Functions that `start` a program in a container or sandbox, and `kill` one by its pid there, even if it is
    suspended."""

    start: ProgramStarter
    kill: Callable[[int], None] = lambda pid: None


class ContainerRelay:
    """A program in a container or sandbox that listens on `port` of its loopback. `serve` answers each connection.

    `lost` is called if the relay dies before it is closed. Raises WorkspaceError if no interpreter there can run it.
    """

    def __init__(
        self,
        programs: Programs,
        serve: Callable[[socket.socket], None],
        lost: Callable[[], None],
    ) -> None:
        self._serve, self._lost, self._kill = serve, lost, programs.kill
        self._free, self._threads = BoundedSemaphore(_THREADS), set[Thread]()
        self._hello, self._ready, self._closing = (0, 0), Event(), False
        self._stop, self._wake = socket.socketpair()
        texts = [program_source(f"environments/connection_relay.{kind}").decode() for kind in ("py", "pl", "js")]
        self._program = programs.start(["sh", "-c", _SHELL, "relay", *texts])
        self._carrier = Thread(target=self._carry, name="swe-agent-relay", daemon=True)
        self._carrier.start()
        try:
            self.port = self._greeting()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the relay and the threads that serve it."""
        self._closing = True
        self._wake.send(b".")
        self._carrier.join()
        if self._hello[0] > 1:
            self._kill(self._hello[0])
        self._program.close(group=True)
        for thread in list(self._threads):
            thread.join(_END)
        self._wake.close()
        self._stop.close()

    def _carry(self) -> None:
        link = Link(self._program.fileno(), self._program.inlet(), self._opened, self._greeted)
        with suppress(Broken):
            link.run(stop=self._stop)
        if self._ready.is_set() and not self._closing:
            self._lost()
        self._ready.set()

    def _greeted(self, process: int, port: int) -> None:
        if not self._ready.is_set():
            self._hello = process, port
            self._ready.set()

    def _greeting(self) -> int:
        self._ready.wait(_START)
        port = self._hello[1]
        if 0 < port < 65536:
            return port
        if self._program.code(1.0) == _NONE:
            raise WorkspaceError(
                "Set-up cannot reach package registries: the image has neither Python 3.6, Perl nor Node.",
                "Use an image that has one of them, or one with everything installed.",
            )
        raise WorkspaceError("The relay to the package registries did not start in the container.", "Try again.")

    def _opened(self) -> socket.socket | None:
        if not self._free.acquire(blocking=False):
            return None
        host_end, server_end = socket.socketpair()
        thread = Thread(target=self._serve_one, args=(server_end,), name="swe-agent-registry", daemon=True)
        self._threads.add(thread)
        thread.start()
        return host_end

    def _serve_one(self, client: socket.socket) -> None:
        try:
            self._serve(client)
        finally:
            self._threads.discard(current_thread())
            self._free.release()
