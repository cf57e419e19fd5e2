"""Servers on loopback, as registries and as those that must not be reached."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

BIG = bytes(range(256)) * 20480  # 5 MB


class Registry(BaseHTTPRequestHandler):
    """Answers `/big` with 5 MB, a POST with its body, all else with the path and the Host that it saw."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str, dict[str, str]]]

    def do_GET(self) -> None:
        self.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        self.answer(BIG if self.path == "/big" else f"{self.path} of {self.headers['Host']}".encode())

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        self.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """A client that goes away is no error."""


@contextmanager
def registry() -> Iterator[tuple[int, list[tuple[str, str, dict[str, str]]]]]:
    """The port of a server, and the requests that it saw."""
    seen: list[tuple[str, str, dict[str, str]]] = []
    server = _Server(("127.0.0.1", 0), type("Handler", (Registry,), {"seen": seen}))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1], seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a listener whose connections `serve` answers, each in a thread; all have ended in the end."""
    threads: list[Thread] = []
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:

        def accept() -> None:
            while True:
                try:
                    client = listener.accept()[0]
                except OSError:
                    return
                threads.append(Thread(target=serve, args=(client,)))
                threads[-1].start()

        acceptor = Thread(target=accept)
        acceptor.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
    for thread in threads:
        thread.join()


def echo(client: socket.socket) -> None:
    """Send back what comes once its end has come: who closes one way must still get an answer."""
    with client, suppress(ConnectionError):
        client.sendall(everything(client))


def everything(sock: socket.socket) -> bytes:
    """All that comes until the end."""
    parts = []
    while part := sock.recv(65536):
        parts.append(part)
    return b"".join(parts)
