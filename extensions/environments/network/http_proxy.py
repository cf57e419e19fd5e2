"""A small HTTP proxy to listed hosts only: CONNECT for TLS, and GET, HEAD and POST of absolute URLs."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import BoundedSemaphore, Lock

from extensions.environments.network.client_hello import BadHello
from extensions.environments.network.host_allowlist import HostAllowlist, Refusal
from extensions.environments.network.proxy_request import Request, read_request
from extensions.environments.network.proxy_tunnels import UNRECOGNIZED_NAME, open_tls
from extensions.environments.network.socket_pipe import OneWayPipe, forward_bytes
from extensions.environments.network.upstream_proxy import ProxyAddress, UpstreamProxy

MOST_CONNECTING = 32
"""Maximum number of connections to a host that are opened at the same time; others wait."""
_PATIENCE = 30.0  # default time limit in seconds
_LINGER_BYTES = 1 << 20
_MAX_REPORTED = 10  # maximum number of refusals that are reported to the user


class Proxy:
    """A proxy that answers connections by the rules of `allowed`. `say` reports each refusal to the user once.

    `environment` (default: that of this process) may name an upstream proxy, which then resolves the names; if it is
    not an HTTP proxy, ConfigError is raised. `idle` is the maximum number of seconds that a connection may be silent,
    and `patience` is the maximum for receiving a request's head, a ClientHello and the answer to it.
    """

    def __init__(
        self,
        allowed: HostAllowlist,
        say: Callable[[str], None],
        environment: Mapping[str, str] | None = None,
        idle: float = 300.0,
        patience: float = _PATIENCE,
    ) -> None:
        self._allowed, self._say, self._idle, self._patience = allowed, say, idle, patience
        self._upstream = UpstreamProxy(os.environ if environment is None else environment)
        self._lock = Lock()
        self._connecting: dict[str, BoundedSemaphore] = {}
        self._reported: set[str] = set()
        self._open: set[socket.socket] = set()
        self._closed = False

    def serve(self, client: socket.socket) -> None:
        """Answer the single request of a connection and close it."""
        with suppress(OSError), self._registered(client):  # OSError: one end of the connection is gone
            try:
                self._answer(client, read_request(client, self._patience))
            except Refusal as refusal:
                _refuse(client, refusal)

    def close(self) -> None:
        """End open connections. Later ones are closed without an answer."""
        with self._lock:
            self._closed = True
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def _answer(self, client: socket.socket, request: Request) -> None:
        self._check(request)
        if request.scheme == "https":
            raise Refusal(400, "a request for an https:// address must open a tunnel")
        through = self._upstream.to(request.host, request.port, request.tunnel)
        with self._registered(self._connect(request, through)) as server:
            if request.tunnel:
                if through:
                    _open_tunnel(server, request, through)
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                up = OneWayPipe(client, server, self._start_tls(client, server, request))
            else:
                target = f"http://{request.authority}{request.path}" if through else request.path
                server.sendall(request.head(target, through.lines if through else ()))
                up = OneWayPipe(client, server, request.begun, request.length - len(request.begun))
            forward_bytes(up, OneWayPipe(server, client), self._idle, both=request.tunnel)

    def _check(self, request: Request) -> None:
        try:
            self._allowed.check(request.host, request.port)
        except Refusal:
            place = f"{request.host}:{request.port}"
            self._report(f"Refused a request of set-up to {place}, which is not among the registries of your settings.")
            raise

    def _start_tls(self, client: socket.socket, server: socket.socket, request: Request) -> bytes:
        """Forward the start of a TLS connection to the checked host; return the bytes not yet forwarded. Raises
        OSError, including when the ClientHello is refused."""
        try:
            return open_tls(client, server, request.host, request.begun, self._patience)
        except BadHello as bad:
            place = f"{request.host}:{request.port}"
            self._report(f"Set-up opened a tunnel to {place}, and its TLS ClientHello {bad}: the tunnel was closed.")
            _send_last(client, UNRECOGNIZED_NAME)
            raise ConnectionAbortedError from bad

    def _report(self, refused: str) -> None:
        with self._lock:
            if refused in self._reported or len(self._reported) > _MAX_REPORTED:
                return
            self._reported.add(refused)
            if len(self._reported) > _MAX_REPORTED:
                self._say("Set-up made more requests that are not allowed; they are not shown.")
            else:
                self._say(refused)

    def _connect(self, request: Request, through: ProxyAddress | None) -> socket.socket:
        if through:
            return _connect_to([through.host], through.port, "this machine's proxy")
        host, port = request.host, request.port
        try:
            with self._slots(host):
                addresses = self._allowed.addresses(host, port)
                try:
                    return _connect_to(addresses, port, host)
                except Refusal:
                    self._allowed.forget(host, port, addresses)
                    return _connect_to(self._allowed.addresses(host, port), port, host)
        except Refusal as refusal:
            self._report(f"Set-up could not reach {host}:{port}: {refusal.reason}.")
            raise

    def _slots(self, host: str) -> BoundedSemaphore:
        with self._lock:
            return self._connecting.setdefault(host, BoundedSemaphore(MOST_CONNECTING))

    @contextmanager
    def _registered(self, each: socket.socket) -> Iterator[socket.socket]:
        """Register a socket, so that `close` can end it, and close it at the end of the context."""
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


def _connect_to(addresses: list[str], port: int, name: str) -> socket.socket:
    """Connect to the first address that answers. The name is not resolved again, since the answer might change."""
    for address in addresses[:4]:
        with suppress(OSError):
            return socket.create_connection((address, port), timeout=_PATIENCE)
    raise Refusal(502, f"{name} cannot be reached")


def _open_tunnel(server: socket.socket, request: Request, through: ProxyAddress) -> None:
    """Ask this machine's proxy for a tunnel. The answer is read byte by byte, so that no data after it is consumed."""
    lines = [f"CONNECT {request.authority} HTTP/1.1".encode(), f"Host: {request.authority}".encode(), *through.lines]
    server.sendall(b"\r\n".join([*lines, b"", b""]))
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        more = server.recv(1)
        if not more or len(answer) > 32768:
            raise Refusal(502, "this machine's proxy did not answer")
        answer += more
    if not re.match(rb"HTTP/1\.[01] 2[0-9][0-9] ", answer):
        status_line = re.sub(r"[^ -~]", "", answer.split(b"\r\n")[0].decode("latin-1"))[:80]
        raise Refusal(502, f"this machine's proxy answered {status_line}")


def _refuse(client: socket.socket, refusal: Refusal) -> None:
    body = f"swe-agent: {refusal.reason}\n".encode()
    head = f"HTTP/1.1 {refusal.status} swe-agent: {refusal.reason}\r\nContent-Type: text/plain\r\n"
    _send_last(client, f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)


def _send_last(client: socket.socket, data: bytes) -> None:
    """Send the last data and discard some input: closing a connection with unread input may discard the sent data."""
    client.settimeout(2.0)
    client.sendall(data)
    client.shutdown(socket.SHUT_WR)
    left = _LINGER_BYTES
    while left > 0 and (data := client.recv(65536)):
        left -= len(data)
