"""Servers on loopback, as registries and as those that must not be reached."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
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


# TLS


def certificate(folder: Path, *names: str) -> Path:
    """A PEM file in `folder`: a self-signed certificate for `names` and 127.0.0.1, with its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.now(UTC)
    alternatives = [*map(x509.DNSName, names), x509.IPAddress(IPv4Address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "certificate.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@contextmanager
def tls_registry(pem: Path, curve: str = "", body: bytes = b"hello") -> Iterator[tuple[int, list[str | None]]]:
    """The port of an HTTPS server that answers all with `body`, and the server names that clients asked it for.

    With a `curve` that clients do not offer at once, it asks each for a second ClientHello.
    """
    asked: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.sni_callback = lambda _, name, __: asked.append(name)
    if curve:
        context.set_ecdh_curve(curve)

    def serve(client: socket.socket) -> None:
        client.settimeout(30)
        with suppress(OSError), context.wrap_socket(client, server_side=True) as wrapped:
            wrapped.recv(65536)
            wrapped.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + body)
            wrapped.unwrap()
        client.close()

    with listening(serve) as port:
        yield port, asked


def client_hello(name: str | None, curve: str = "", longer: int = 0) -> bytes:
    """The first record of Python's own TLS client that asks for `name`; it offers protocols of `longer` bytes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if curve:
        context.set_ecdh_curve(curve)
    if longer:
        context.set_alpn_protocols(["x" * 250] * (longer // 251 + 1))
    sent = ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname=name).do_handshake()
    return sent.read()


SERVER_HELLO = b"\x16\x03\x03\x00\x2a\x02\x00\x00\x26\x03\x03" + bytes(36)
"""As much of a server's answer as the proxy looks at."""


def tls_echo(client: socket.socket) -> None:
    """Answer the first bytes with SERVER_HELLO, then echo all that came."""
    with client, suppress(ConnectionError):
        begun = client.recv(65536)
        client.sendall(SERVER_HELLO)
        client.sendall(begun + everything(client))
