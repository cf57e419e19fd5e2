"""A small HTTP proxy that reaches listed hosts only: CONNECT for TLS, and GET, HEAD and POST of whole addresses."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Lock

from aci.environments.allowing import Allowed, Refusal
from aci.environments.client_hello import BadHello
from aci.environments.pumping import Way, pump
from aci.environments.request import Request, read
from aci.environments.tunnels import UNRECOGNIZED_NAME, open_tls
from aci.environments.upstream import Through, Upstream

_PATIENCE = 30.0  # seconds
_LINGER_BYTES = 1 << 20
_TOLD = 10  # refusals that are told to the user


class Proxy:
    """Answers connections by the rules of `allowed`; `say` tells the user what was refused, once each.

    `environment` (of this process, if none is given) may name a proxy, which then finds the addresses: raises
    ConfigError where it is of another kind than HTTP. `idle` is how many seconds a connection may be silent, `patience`
    how many a request's head, a ClientHello and the answer to it may take.
    """

    def __init__(
        self,
        allowed: Allowed,
        say: Callable[[str], None],
        environment: Mapping[str, str] | None = None,
        idle: float = 300.0,
        patience: float = _PATIENCE,
    ) -> None:
        self._allowed, self._say, self._idle, self._patience = allowed, say, idle, patience
        self._upstream = Upstream(os.environ if environment is None else environment)
        self._lock = Lock()
        self._told: set[str] = set()
        self._open: set[socket.socket] = set()
        self._closed = False

    def serve(self, client: socket.socket) -> None:
        """Answer the one request of a connection, and close it."""
        with suppress(OSError), self._known(client):  # OSError: an end of the connection went away
            try:
                self._answer(client, read(client, self._patience))
            except Refusal as refusal:
                _refuse(client, refusal)

    def close(self) -> None:
        """End what is under way; what comes later is closed unanswered."""
        with self._lock:
            self._closed = True
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def _answer(self, client: socket.socket, request: Request) -> None:
        self._check(request)
        through = self._upstream.to(request.host, request.port, request.tunnel)
        with self._known(self._connected(request, through)) as server:
            if request.tunnel:
                if through:
                    _open_tunnel(server, request, through)
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                up = Way(client, server, self._start_tls(client, server, request))
            else:
                target = f"http://{request.authority}{request.path}" if through else request.path
                server.sendall(request.head(target, through.lines if through else ()))
                up = Way(client, server, request.begun, request.length - len(request.begun))
            pump(up, Way(server, client), self._idle, both=request.tunnel)

    def _check(self, request: Request) -> None:
        try:
            self._allowed.check(request.host, request.port)
        except Refusal:
            place = f"{request.host}:{request.port}"
            self._tell(f"Set-up asked for {place}, which is not among the registries of your settings: refused.")
            raise

    def _start_tls(self, client: socket.socket, server: socket.socket, request: Request) -> bytes:
        """Open TLS to the host that was checked: what is still to be passed on. Raises OSError, also for a refusal."""
        try:
            return open_tls(client, server, request.host, request.begun, self._patience)
        except BadHello as bad:
            place = f"{request.host}:{request.port}"
            self._tell(f"Set-up opened a tunnel to {place}, and its TLS ClientHello {bad}: the tunnel was closed.")
            _say_last(client, UNRECOGNIZED_NAME)
            raise ConnectionAbortedError from bad

    def _tell(self, refused: str) -> None:
        with self._lock:
            if refused in self._told or len(self._told) > _TOLD:
                return
            self._told.add(refused)
            if len(self._told) > _TOLD:
                self._say("Set-up made more requests that are not allowed; they are not listed.")
            else:
                self._say(refused)

    def _connected(self, request: Request, through: Through | None) -> socket.socket:
        if through:
            return _reach([through.host], through.port, "the proxy of this machine")
        return _reach(self._allowed.addresses(request.host, request.port), request.port, request.host)

    @contextmanager
    def _known(self, each: socket.socket) -> Iterator[socket.socket]:
        """`each`, ended by `close`, closed in the end."""
        with each:
            with self._lock:
                if self._closed:
                    raise ConnectionAbortedError
                self._open.add(each)
            try:
                yield each
            finally:
                with self._lock:
                    self._open.discard(each)


def _reach(addresses: list[str], port: int, name: str) -> socket.socket:
    """A connection to the first address that answers. A name is not looked up again: it might have another answer."""
    for address in addresses[:4]:
        with suppress(OSError):
            return socket.create_connection((address, port), timeout=_PATIENCE)
    raise Refusal(502, f"{name} cannot be reached")


def _open_tunnel(server: socket.socket, request: Request, through: Through) -> None:
    """Ask the proxy of this machine for a tunnel, byte by byte so that nothing behind its answer is taken."""
    lines = [f"CONNECT {request.authority} HTTP/1.1".encode(), f"Host: {request.authority}".encode(), *through.lines]
    server.sendall(b"\r\n".join([*lines, b"", b""]))
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        more = server.recv(1)
        if not more or len(answer) > 32768:
            raise Refusal(502, "the proxy of this machine gave no answer")
        answer += more
    if not re.match(rb"HTTP/1\.[01] 2[0-9][0-9] ", answer):
        said = re.sub(r"[^ -~]", "", answer.split(b"\r\n")[0].decode("latin-1"))[:80]
        raise Refusal(502, f"the proxy of this machine said {said}")


def _refuse(client: socket.socket, refusal: Refusal) -> None:
    body = f"swe-agent: {refusal.reason}\n".encode()
    head = f"HTTP/1.1 {refusal.status} swe-agent: {refusal.reason}\r\nContent-Type: text/plain\r\n"
    _say_last(client, f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)


def _say_last(client: socket.socket, data: bytes) -> None:
    """Say so, and read on a little: to close a connection with something unread may throw away what was said."""
    client.settimeout(2.0)
    client.sendall(data)
    client.shutdown(socket.SHUT_WR)
    left = _LINGER_BYTES
    while left > 0 and (data := client.recv(65536)):
        left -= len(data)
