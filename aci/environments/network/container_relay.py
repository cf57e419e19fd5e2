"""The host's end of a relay in a container: it answers connections that were opened there, with one thread for each."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import BoundedSemaphore, Event, Thread, current_thread

from aci.guest.connection_relay import CONNECTIONS, Broken, Link
from aci.runtime.guest_programs import program_source
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


class ContainerRelay:
    """A program in a container that listens on `port` of its loopback. `serve` answers each connection.

    `prefix` is the start of a command line that runs a command in the container, and `environment` is the environment
    of that command line. `lost` is called if the relay dies before it is closed. Raises WorkspaceError if the container
    has no interpreter that can run the relay.
    """

    def __init__(
        self,
        prefix: Sequence[str],
        environment: Mapping[str, str],
        serve: Callable[[socket.socket], None],
        lost: Callable[[], None],
    ) -> None:
        self._prefix, self._environment, self._serve, self._lost = prefix, dict(environment), serve, lost
        self._free, self._threads = BoundedSemaphore(_THREADS), set[Thread]()
        self._hello, self._ready, self._closing = (0, 0), Event(), False
        self._stop, self._wake = socket.socketpair()
        texts = [program_source(f"connection_relay.{kind}").decode() for kind in ("py", "pl", "js")]
        self._process = subprocess.Popen(
            [*prefix, "sh", "-c", _SHELL, "relay", *texts],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
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
        self._end_process()
        for thread in list(self._threads):
            thread.join(_END)
        self._wake.close()
        self._stop.close()

    def _carry(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        link = Link(self._process.stdout.fileno(), self._process.stdin.fileno(), self._opened, self._greeted)
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
        with suppress(subprocess.TimeoutExpired):
            if self._process.wait(1.0) == _NONE:
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

    def _end_process(self) -> None:
        """End the relay by closing its stdin; kill it if it does not end, for example because a process in the
        container has suspended it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END)
            return
        killing = [*self._prefix, "sh", "-c", f"kill -KILL {max(self._hello[0], 2)}"]
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(killing, env=self._environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=_END)
        self._process.kill()
        self._process.wait()
