"""Servers on loopback, as registries and as hosts that must not be reached."""

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
    """Answers `/big` with 5 MB, a POST with its body, and any other request with its path and its Host header."""

    protocol_version = "HTTP/1.1"
    requests: list[tuple[str, str, dict[str, str]]]

    def do_GET(self) -> None:
        self.requests.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        self.answer(BIG if self.path == "/big" else f"{self.path} of {self.headers['Host']}".encode())

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        self.requests.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
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
        """Ignore clients that disconnect."""


@contextmanager
def registry() -> Iterator[tuple[int, list[tuple[str, str, dict[str, str]]]]]:
    """The port of a server, and the requests that it received."""
    requests: list[tuple[str, str, dict[str, str]]] = []
    server = _Server(("127.0.0.1", 0), type("Handler", (Registry,), {"requests": requests}))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1], requests
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def listen(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a listener. `serve` answers each connection in a thread; the exit waits for all of them."""
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
    """Send back all data after its end, so that clients that half-close still get an answer."""
    with client, suppress(ConnectionError):
        client.sendall(receive_all(client))


def receive_all(sock: socket.socket) -> bytes:
    """Return all data until the end."""
    parts = []
    while part := sock.recv(65536):
        parts.append(part)
    return b"".join(parts)


# TLS


def create_certificate(folder: Path, *names: str) -> Path:
    """Write a PEM file into `folder`: a self-signed certificate for `names` and 127.0.0.1, with its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.now(UTC)
    alternatives = [*map(x509.DNSName, names), x509.IPAddress(IPv4Address("127.0.0.1"))]
    certificate = (
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
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


@contextmanager
def tls_registry(pem: Path, curve: str = "", body: bytes = b"hello") -> Iterator[tuple[int, list[str | None]]]:
    """The port of an HTTPS server that answers each request with `body`, and the server names that clients sent.

    With a `curve` that clients do not offer at once, the server requests a second ClientHello from each.
    """
    server_names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.sni_callback = lambda _, name, __: server_names.append(name)
    if curve:
        context.set_ecdh_curve(curve)

    def serve(client: socket.socket) -> None:
        client.settimeout(30)
        with suppress(OSError), context.wrap_socket(client, server_side=True) as wrapped:
            wrapped.recv(65536)
            wrapped.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + body)
            wrapped.unwrap()
        client.close()

    with listen(serve) as port:
        yield port, server_names


def client_hello(name: str | None, curve: str = "", alpn_bytes: int = 0) -> bytes:
    """Return the first record of Python's TLS client for `name`, with ALPN protocols of `alpn_bytes`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if curve:
        context.set_ecdh_curve(curve)
    if alpn_bytes:
        context.set_alpn_protocols(["x" * 250] * (alpn_bytes // 251 + 1))
    output = ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), output, server_hostname=name).do_handshake()
    return output.read()


SERVER_HELLO = b"\x16\x03\x03\x00\x2a\x02\x00\x00\x26\x03\x03" + bytes(36)
"""The part of a server's answer that the proxy reads."""


def tls_echo(client: socket.socket) -> None:
    """Answer the first bytes with SERVER_HELLO, then echo all data."""
    with client, suppress(ConnectionError):
        hello = client.recv(65536)
        client.sendall(SERVER_HELLO)
        client.sendall(hello + receive_all(client))
