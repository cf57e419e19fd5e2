"""A container and a sandbox as the agent gets them, and things of the host that hostile programs must not reach."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aci.runtime.posix_workspace import PosixWorkspace
from tests.conftest import MakeRepo, OpenWorkspace
from tests.e2e.conftest import calculator, issue_file, machine  # noqa: F401  (fixtures)

FILES = {".gitignore": "*.log\n", "README": "hello\n", "pkg/__init__.py": "", "pkg/mod.py": "def f():\n    return 1\n"}


class Listener:
    """A server on every address of this machine and on an abstract socket; `visitors` lists what reached it."""

    def __init__(self) -> None:
        self.visitors: list[str] = []
        self.name = f"swe-agent-breakout-{id(self)}"
        self._sockets = [socket.socket(), socket.socket(socket.AF_UNIX), socket.socket(type=socket.SOCK_DGRAM)]
        tcp, abstract, udp = self._sockets
        tcp.bind(("0.0.0.0", 0))
        self.port = tcp.getsockname()[1]
        udp.bind(("0.0.0.0", self.port))
        abstract.bind(f"\0{self.name}")
        for kind in (tcp, abstract):
            kind.listen()
            threading.Thread(target=self._accept, args=(kind,), daemon=True).start()
        threading.Thread(target=self._receive, args=(udp,), daemon=True).start()

    @property
    def addresses(self) -> list[str]:
        """The addresses of the server: loopback and each address of the host name."""
        host_addresses = {str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
        return sorted({"127.0.0.1", "172.17.0.1", *host_addresses})

    def _accept(self, server: socket.socket) -> None:
        try:
            while True:
                connection, _ = server.accept()
                self.visitors.append("connected")
                connection.close()
        except OSError:
            return

    def _receive(self, server: socket.socket) -> None:
        try:
            while True:
                self.visitors.append(repr(server.recv(100)))
        except OSError:
            return

    def close(self) -> None:
        for sock in self._sockets:
            with contextlib.suppress(OSError):  # not connected
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = Listener()
    with socket.create_connection(("127.0.0.1", server.port)):
        pass
    while not server.visitors:
        threading.Event().wait(0.01)
    server.visitors.clear()  # the connection above showed that visitors are recorded
    yield server
    server.close()


@pytest.fixture(
    params=[pytest.param("docker", marks=pytest.mark.docker), pytest.param("sandbox", marks=pytest.mark.sandbox)]
)
def isolated_kind(request: pytest.FixtureRequest) -> str:
    """Each kind of workspace that isolates."""
    return str(request.param)


@pytest.fixture
def open_isolated(isolated_kind: str, open_ws: OpenWorkspace, make_repo: MakeRepo) -> Callable[..., PosixWorkspace]:
    """`open_isolated({"more": "files"}, memory="256m")`: an isolated workspace of a small repository."""
    return lambda files=None, **options: open_ws(isolated_kind, make_repo({**FILES, **(files or {})}), **options)


@pytest.fixture
def open_container(open_ws: OpenWorkspace, make_repo: MakeRepo) -> Callable[..., PosixWorkspace]:
    """`open_container({"more": "files"}, memory="256m")`: a container with a small repository."""
    return lambda files=None, **options: open_ws("docker", make_repo({**FILES, **(files or {})}), **options)


@pytest.fixture
def ws(open_isolated: Callable[..., PosixWorkspace]) -> PosixWorkspace:
    return open_isolated(processes=256, memory="512m")


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """A path on this machine at which nothing may ever exist."""
    return tmp_path / "the-host-was-here"
