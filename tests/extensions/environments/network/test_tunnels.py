"""Tunnels of the proxy of set-up carry only TLS to the host that CONNECT names: real clients and attacks."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from extensions.environments.network.client_hello import _RETRY as RETRY
from extensions.environments.network.host_allowlist import HostAllowlist
from extensions.environments.network.http_proxy import Proxy
from tests.extensions.environments.network.loopback_servers import (
    BIG,
    SERVER_HELLO,
    client_hello,
    create_certificate,
    listen,
    receive_all,
    tls_echo,
    tls_registry,
)

OpenProxy = tuple[int, list[str]]
SERVER_NAME = b"\x00\x00\x00\x0e\x00\x0c\x00\x00\x09localhost"
"""The extension server_name for `localhost`."""


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create_certificate(tmp_path_factory.mktemp("tls"), "localhost", "evil.example")


@contextmanager
def proxy(*hosts: str, patience: float = 30.0) -> Iterator[OpenProxy]:
    """Serve a proxy that allows `hosts`, and yield its port and its messages to the user."""
    messages: list[str] = []
    core = Proxy(HostAllowlist(hosts), messages.append, {}, patience=patience)
    with listen(core.serve) as port:
        try:
            yield port, messages
        finally:
            core.close()


@contextmanager
def tunnel(proxy_port: int, target: str) -> Iterator[socket.socket]:
    """Open a tunnel to `target` through the proxy, and yield its connection."""
    with socket.create_connection(("127.0.0.1", proxy_port), timeout=30) as sock:
        sock.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += sock.recv(1)
        assert answer.startswith(b"HTTP/1.1 200 ")
        yield sock


def trusting_context(pem: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=pem)


def test_client_reaches_host_of_its_tunnel(pem: Path) -> None:
    with tls_registry(pem, body=BIG) as (port, server_names), proxy(f"localhost:{port}") as (proxy_port, messages):
        for name in ("localhost", "LOCALHOST"):
            with tunnel(proxy_port, f"localhost:{port}") as sock:
                tls = trusting_context(pem).wrap_socket(sock, server_hostname=name)
                tls.sendall(b"GET / HTTP/1.0\r\n\r\n")
                assert receive_all(tls).endswith(BIG)
                tls.close()
    assert [name.lower() for name in server_names if name] == ["localhost", "localhost"]
    assert messages == []


def test_hello_with_other_host_closes_tunnel(pem: Path) -> None:
    with (
        tls_registry(pem) as (port, server_names),
        proxy(f"localhost:{port}") as (proxy_port, messages),
        tunnel(proxy_port, f"localhost:{port}") as sock,
        pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"),
    ):
        trusting_context(pem).wrap_socket(sock, server_hostname="evil.example")
    assert server_names == []
    reason = f"Set-up opened a tunnel to localhost:{port}, and its TLS ClientHello names evil.example"
    assert messages == [f"{reason}: the tunnel was closed."]


@pytest.mark.slow
@pytest.mark.installers
def test_curl_reaches_only_host_of_its_tunnel(pem: Path) -> None:
    with tls_registry(pem) as (port, server_names), proxy(f"localhost:{port}") as (proxy_port, _):

        def curl(*arguments: str) -> subprocess.CompletedProcess[bytes]:
            options = [
                "curl",
                "-sS",
                "--cacert",
                str(pem),
                "--noproxy",
                "",
                "--proxy",
                f"http://127.0.0.1:{proxy_port}",
            ]
            return subprocess.run([*options, *arguments], capture_output=True, timeout=60)

        assert curl(f"https://localhost:{port}/").stdout == b"hello"
        fronted = curl("--connect-to", f"evil.example:443:localhost:{port}", "https://evil.example/")
        assert (fronted.stdout, fronted.returncode) == (b"", 35), "35 is a failure of TLS"
        assert curl("--proxytunnel", f"http://localhost:{port}/").returncode != 0
    assert server_names == ["localhost"]


@pytest.mark.slow
def test_pip_installs_through_proxy(pem: Path) -> None:
    page = b'<!DOCTYPE html><a href="thing-1.0-py3-none-any.whl">thing-1.0-py3-none-any.whl</a>'
    with tls_registry(pem, body=page) as (port, server_names), proxy(f"localhost:{port}") as (proxy_port, messages):
        options = ["--isolated", "--no-input", "--disable-pip-version-check", "--cert", str(pem)]
        addresses = ["--proxy", f"http://127.0.0.1:{proxy_port}", "--index-url", f"https://localhost:{port}/simple"]
        result = subprocess.run(
            [sys.executable, "-m", "pip", *options, "index", "versions", *addresses, "thing"],
            capture_output=True,
            timeout=60,
            env={"NO_PROXY": "", "PATH": ""},
        )
    assert b"Available versions: 1.0" in result.stdout, result.stderr
    assert set(server_names) == {"localhost"}
    assert messages == []


def test_second_hello_requested_by_server_is_forwarded(pem: Path) -> None:
    with (
        tls_registry(pem, curve="secp384r1") as (port, server_names),
        proxy(f"localhost:{port}") as (proxy_port, messages),
        tunnel(proxy_port, f"localhost:{port}") as sock,
    ):
        tls = trusting_context(pem).wrap_socket(sock, server_hostname="localhost")
        tls.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert receive_all(tls).endswith(b"hello")
        tls.close()
    assert set(server_names) == {"localhost"}
    assert messages == []


@pytest.mark.parametrize("change", [b"", b"\x14\x03\x03\x00\x01\x01"], ids=["at once", "after a change of cipher"])
def test_second_hello_with_other_host_is_refused(pem: Path, change: bytes) -> None:
    second = client_hello("evil.example", curve="secp384r1")
    with (
        tls_registry(pem, curve="secp384r1") as (port, server_names),
        proxy(f"localhost:{port}") as (proxy_port, messages),
    ):
        for eager in (True, False):
            with tunnel(proxy_port, f"localhost:{port}") as sock:
                sock.sendall(client_hello("localhost") + (change + second if eager else b""))
                sock.recv(65536)
                if not eager:
                    sock.sendall(change + second)
                receive_all(sock)
    assert set(server_names) == {"localhost"}
    assert "names evil.example" in messages[0]


def test_client_cannot_fill_memory_before_second_hello() -> None:
    retry = b"\x03\x03" + RETRY + b"\0\x13\x01\0"
    message = b"\x02" + len(retry).to_bytes(3, "big") + retry
    sent = 0

    def request_second_hello(client: socket.socket) -> None:
        with client:
            client.recv(65536)
            client.sendall(b"\x16\x03\x03" + len(message).to_bytes(2, "big") + message)
            receive_all(client)

    with (
        listen(request_second_hello) as port,
        proxy(f"localhost:{port}", patience=2.0) as (proxy_port, messages),
        tunnel(proxy_port, f"localhost:{port}") as sock,
    ):
        sock.sendall(client_hello("localhost"))
        assert sock.recv(65536).endswith(message)
        with suppress(OSError):  # the proxy closes the tunnel
            while sent < 32 << 20:
                sent += sock.send(b"\x14\x03\x03\x00\x01\x01" * 10_000)
    assert sent < 32 << 20
    assert "not TLS" in messages[0]


def split_into_records(hello: bytes, size: int) -> bytes:
    """Split the message of one record into records of `size` bytes."""
    parts = [hello[5:][position : position + size] for position in range(0, len(hello) - 5, size)]
    return b"".join(hello[:3] + len(part).to_bytes(2, "big") + part for part in parts)


@pytest.mark.parametrize("name", ["localhost", "evil.example"])
@pytest.mark.parametrize("pieces", [1, 7, 10_000])
@pytest.mark.parametrize("size", [1, 9, 16_000])
def test_hello_in_any_records_and_segments_is_checked(pem: Path, name: str, pieces: int, size: int) -> None:
    hello = split_into_records(client_hello(name), size)
    with (
        tls_registry(pem) as (port, server_names),
        proxy(f"localhost:{port}") as (proxy_port, messages),
        tunnel(proxy_port, f"localhost:{port}") as sock,
    ):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for position in range(0, len(hello), pieces):
            sock.sendall(hello[position : position + pieces])
        sock.shutdown(socket.SHUT_WR)
        receive_all(sock)
    assert server_names == (["localhost"] if name == "localhost" else [])
    assert len(messages) == (name != "localhost")


def replace_name(hello: bytes, extension: bytes) -> bytes:
    """Replace the extension that names localhost by `extension`, and adapt all lengths."""
    assert hello.count(SERVER_NAME) == 1
    return _add_to_lengths(hello.replace(SERVER_NAME, extension), len(extension) - len(SERVER_NAME))


def _add_to_lengths(hello: bytes, more: int) -> bytes:
    data = bytearray(hello)
    position = 43 + 1 + data[43]
    position += 2 + int.from_bytes(data[position : position + 2], "big")
    position += 1 + data[position]
    for start, size in ((3, 2), (6, 3), (position, 2)):
        length = int.from_bytes(data[start : start + size], "big") + more
        data[start : start + size] = length.to_bytes(size, "big")
    return bytes(data)


def name_extension(*entries: tuple[int, bytes]) -> bytes:
    names = b"".join(bytes([kind]) + len(name).to_bytes(2, "big") + name for kind, name in entries)
    names = len(names).to_bytes(2, "big") + names
    return b"\0\0" + len(names).to_bytes(2, "big") + names


HOST = (0, b"localhost")
ATTACKS: dict[str, tuple[Callable[[], bytes], str]] = {
    "no name": (lambda: client_hello(None), "names no server"),
    "two names": (lambda: replace_name(client_hello("localhost"), name_extension(HOST, (0, b"evil.example"))), "two"),
    "another kind of name": (lambda: replace_name(client_hello("localhost"), name_extension((1, b"localhost"))), "two"),
    "two extensions": (
        lambda: replace_name(client_hello("localhost"), SERVER_NAME + SERVER_NAME),
        "an extension twice",
    ),
    "an absolute name": (
        lambda: replace_name(client_hello("localhost"), name_extension((0, b"localhost."))),
        "an invalid host name",
    ),
    "a NUL": (
        lambda: replace_name(client_hello("localhost"), name_extension((0, b"localhost\0.evil.example"))),
        "an invalid host name",
    ),
    "an address": (
        lambda: replace_name(client_hello("localhost"), name_extension((0, b"127.0.0.1"))),
        "names 127.0.0.1",
    ),
    "ECH": (
        lambda: replace_name(client_hello("localhost"), SERVER_NAME + b"\xfe\x0d\x00\x01\x00"),
        "encrypted_client_hello",
    ),
    "ESNI": (
        lambda: replace_name(client_hello("localhost"), SERVER_NAME + b"\xff\xce\x00\x01\x00"),
        "encrypted_client_hello",
    ),
    "too long": (lambda: split_into_records(b"\x16\x03\x01\0\0\x01\xff\xff\xff" + bytes(100_000), 16_000), "too long"),
    "plain HTTP": (lambda: b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "not TLS"),
    "SSH": (lambda: b"SSH-2.0-OpenSSH_9.2\r\n", "not TLS"),
    "SSL 2": (lambda: b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(40), "not TLS"),
    "another message": (lambda: b"\x16\x03\x01\x00\x04\x10\0\0\0", "not a ClientHello"),
    "an empty record": (lambda: b"\x16\x03\x01\0\0" + client_hello("localhost"), "not TLS"),
    "more in the record": (lambda: _hello_twice_in_record(client_hello("localhost")), "other data in its record"),
    "nothing": (lambda: b"", "not complete"),
    "cut": (lambda: client_hello("localhost")[:-1], "not complete"),
}


def _hello_twice_in_record(hello: bytes) -> bytes:
    return hello[:3] + (2 * (len(hello) - 5)).to_bytes(2, "big") + hello[5:] * 2


@pytest.mark.parametrize("attack", ATTACKS)
def test_attack_does_not_reach_server(attack: str) -> None:
    make_hello, reason = ATTACKS[attack]
    received: list[bytes] = []

    def record(client: socket.socket) -> None:
        with client:
            received.append(receive_all(client))

    with (
        listen(record) as port,
        proxy(f"localhost:{port}") as (proxy_port, messages),
        tunnel(proxy_port, f"localhost:{port}") as sock,
    ):
        sock.sendall(make_hello())
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock)[:1] in (b"", b"\x15"), "only a TLS alert is allowed"
    assert b"".join(received) == b""
    assert reason in messages[0]


def test_long_hello_is_forwarded() -> None:
    hello = client_hello("localhost", alpn_bytes=9_000)
    with (
        listen(tls_echo) as port,
        proxy(f"localhost:{port}") as (proxy_port, _),
        tunnel(proxy_port, f"localhost:{port}") as sock,
    ):
        sock.sendall(hello)
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == SERVER_HELLO + hello


def test_tunnel_to_address_allows_only_hello_without_name(pem: Path) -> None:
    with tls_registry(pem) as (port, server_names), proxy(f"127.0.0.1:{port}") as (proxy_port, messages):
        with tunnel(proxy_port, f"127.0.0.1:{port}") as sock:
            trusting_context(pem).wrap_socket(sock, server_hostname="127.0.0.1").close()
        with tunnel(proxy_port, f"127.0.0.1:{port}") as sock, pytest.raises(ssl.SSLError):
            trusting_context(pem).wrap_socket(sock, server_hostname="evil.example")
    assert server_names == [None]
    assert "names evil.example" in messages[0]


def test_server_without_tls_is_disconnected() -> None:
    """A server of plain HTTP might ignore a ClientHello as invalid and then answer a request."""
    received: list[bytes] = []

    def lenient(client: socket.socket) -> None:
        with client:
            received.append(client.recv(65536))
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            received.append(receive_all(client))

    hello = client_hello("localhost")
    with (
        listen(lenient) as port,
        proxy(f"localhost:{port}") as (proxy_port, messages),
        tunnel(proxy_port, f"localhost:{port}") as sock,
    ):
        sock.sendall(hello + b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        receive_all(sock)
    assert received == [hello, b""]
    assert messages == [], "the ClientHello is valid"


def test_incomplete_hello_times_out() -> None:
    with (
        listen(lambda client: client.close()) as port,
        proxy(f"localhost:{port}", patience=0.05) as (proxy_port, messages),
        tunnel(proxy_port, f"localhost:{port}") as sock,
    ):
        sock.sendall(client_hello("localhost")[:100])
        receive_all(sock)
    assert "not complete" in messages[0]


def test_head_sent_byte_by_byte_times_out() -> None:
    with (
        proxy("localhost", patience=0.1) as (proxy_port, _),
        socket.create_connection(("127.0.0.1", proxy_port), timeout=30) as sock,
    ):
        sock.settimeout(0.02)
        answer = b""
        while not answer:
            sock.sendall(b"G")
            try:
                answer = sock.recv(100)
            except TimeoutError:
                continue
    assert answer.startswith(b"HTTP/1.1 408 ")
