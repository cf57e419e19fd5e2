"""What goes through a tunnel of the proxy of set-up: TLS to the host that CONNECT named; real clients and attacks."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from aci.environments.network.client_hello import _RETRY as RETRY
from aci.environments.network.host_allowlist import HostAllowlist
from aci.environments.network.http_proxy import Proxy
from tests.aci.environments.network.loopback_servers import (
    BIG,
    SERVER_HELLO,
    certificate,
    client_hello,
    everything,
    listening,
    tls_echo,
    tls_registry,
)

Opened = tuple[int, list[str]]
NAMED = b"\x00\x00\x00\x0e\x00\x0c\x00\x00\x09localhost"
"""The extension server_name for `localhost`."""


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("tls"), "localhost", "evil.example")


@contextmanager
def proxy(*hosts: str, patience: float = 30.0) -> Iterator[Opened]:
    """The port of a proxy to `hosts`, and what it told the user."""
    said: list[str] = []
    core = Proxy(HostAllowlist(hosts), said.append, {}, patience=patience)
    with listening(core.serve) as port:
        try:
            yield port, said
        finally:
            core.close()


@contextmanager
def tunnel(through: int, place: str) -> Iterator[socket.socket]:
    """A connection to `place` that the proxy has agreed to."""
    with socket.create_connection(("127.0.0.1", through), timeout=30) as sock:
        sock.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += sock.recv(1)
        assert answer.startswith(b"HTTP/1.1 200 ")
        yield sock


def trusting(pem: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=pem)


def test_client_that_asks_for_host_of_its_tunnel_is_answered(pem: Path) -> None:
    with tls_registry(pem, body=BIG) as (port, asked), proxy(f"localhost:{port}") as (through, said):
        for name in ("localhost", "LOCALHOST"):
            with tunnel(through, f"localhost:{port}") as sock:
                tls = trusting(pem).wrap_socket(sock, server_hostname=name)
                tls.sendall(b"GET / HTTP/1.0\r\n\r\n")
                assert everything(tls).endswith(BIG)
                tls.close()
    assert [name.lower() for name in asked if name] == ["localhost", "localhost"]
    assert said == []


def test_client_that_asks_for_another_host_is_cut_off(pem: Path) -> None:
    with (
        tls_registry(pem) as (port, asked),
        proxy(f"localhost:{port}") as (through, said),
        tunnel(through, f"localhost:{port}") as sock,
        pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"),
    ):
        trusting(pem).wrap_socket(sock, server_hostname="evil.example")
    assert asked == []
    told = f"Set-up opened a tunnel to localhost:{port}, and its TLS ClientHello names evil.example"
    assert said == [f"{told}: the tunnel was closed."]


def test_curl_reaches_host_of_its_tunnel_only(pem: Path) -> None:
    with tls_registry(pem) as (port, asked), proxy(f"localhost:{port}") as (through, _):

        def curl(*words: str) -> subprocess.CompletedProcess[bytes]:
            own = ["curl", "-sS", "--cacert", str(pem), "--noproxy", "", "--proxy", f"http://127.0.0.1:{through}"]
            return subprocess.run([*own, *words], capture_output=True, timeout=60)

        assert curl(f"https://localhost:{port}/").stdout == b"hello"
        fronted = curl("--connect-to", f"evil.example:443:localhost:{port}", "https://evil.example/")
        assert (fronted.stdout, fronted.returncode) == (b"", 35), "35 is a failure of TLS"
        assert curl("--proxytunnel", f"http://localhost:{port}/").returncode != 0
    assert asked == ["localhost"]


def test_pip_installs_through_proxy(pem: Path) -> None:
    listed = b'<!DOCTYPE html><a href="thing-1.0-py3-none-any.whl">thing-1.0-py3-none-any.whl</a>'
    with tls_registry(pem, body=listed) as (port, asked), proxy(f"localhost:{port}") as (through, said):
        options = ["--isolated", "--no-input", "--disable-pip-version-check", "--cert", str(pem)]
        ways = ["--proxy", f"http://127.0.0.1:{through}", "--index-url", f"https://localhost:{port}/simple"]
        done = subprocess.run(
            [sys.executable, "-m", "pip", *options, "index", "versions", *ways, "thing"],
            capture_output=True,
            timeout=60,
            env={"NO_PROXY": "", "PATH": ""},
        )
    assert b"Available versions: 1.0" in done.stdout, done.stderr
    assert set(asked) == {"localhost"}
    assert said == []


def test_second_hello_that_server_asks_for_is_passed_on(pem: Path) -> None:
    with (
        tls_registry(pem, curve="secp384r1") as (port, asked),
        proxy(f"localhost:{port}") as (through, said),
        tunnel(through, f"localhost:{port}") as sock,
    ):
        tls = trusting(pem).wrap_socket(sock, server_hostname="localhost")
        tls.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert everything(tls).endswith(b"hello")
        tls.close()
    assert set(asked) == {"localhost"}
    assert said == []


@pytest.mark.parametrize("change", [b"", b"\x14\x03\x03\x00\x01\x01"], ids=["at once", "after a change of cipher"])
def test_second_hello_asks_for_no_other_host(pem: Path, change: bytes) -> None:
    second = client_hello("evil.example", curve="secp384r1")
    with tls_registry(pem, curve="secp384r1") as (port, asked), proxy(f"localhost:{port}") as (through, said):
        for eager in (True, False):
            with tunnel(through, f"localhost:{port}") as sock:
                sock.sendall(client_hello("localhost") + (change + second if eager else b""))
                sock.recv(65536)
                if not eager:
                    sock.sendall(change + second)
                everything(sock)
    assert set(asked) == {"localhost"}
    assert "names evil.example" in said[0]


def test_client_cannot_fill_memory_before_its_second_hello() -> None:
    retry = b"\x03\x03" + RETRY + b"\0\x13\x01\0"
    message = b"\x02" + len(retry).to_bytes(3, "big") + retry
    sent = 0

    def asks_again(client: socket.socket) -> None:
        with client:
            client.recv(65536)
            client.sendall(b"\x16\x03\x03" + len(message).to_bytes(2, "big") + message)
            everything(client)

    with (
        listening(asks_again) as port,
        proxy(f"localhost:{port}", patience=2.0) as (through, said),
        tunnel(through, f"localhost:{port}") as sock,
    ):
        sock.sendall(client_hello("localhost"))
        assert sock.recv(65536).endswith(message)
        with suppress(OSError):  # the proxy closes the tunnel
            while sent < 32 << 20:
                sent += sock.send(b"\x14\x03\x03\x00\x01\x01" * 10_000)
    assert sent < 32 << 20
    assert "not TLS" in said[0]


def records(hello: bytes, size: int) -> bytes:
    """The message of one record in records of `size` bytes."""
    parts = [hello[5:][at : at + size] for at in range(0, len(hello) - 5, size)]
    return b"".join(hello[:3] + len(part).to_bytes(2, "big") + part for part in parts)


@pytest.mark.parametrize("name", ["localhost", "evil.example"])
@pytest.mark.parametrize("pieces", [1, 7, 10_000])
@pytest.mark.parametrize("size", [1, 9, 16_000])
def test_hello_in_many_records_and_segments(pem: Path, name: str, pieces: int, size: int) -> None:
    hello = records(client_hello(name), size)
    with (
        tls_registry(pem) as (port, asked),
        proxy(f"localhost:{port}") as (through, said),
        tunnel(through, f"localhost:{port}") as sock,
    ):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(hello), pieces):
            sock.sendall(hello[at : at + pieces])
        sock.shutdown(socket.SHUT_WR)
        everything(sock)
    assert asked == (["localhost"] if name == "localhost" else [])
    assert len(said) == (name != "localhost")


def renamed(hello: bytes, extension: bytes) -> bytes:
    """A hello with `extension` in the place of the one that names localhost, and all lengths as they must be."""
    assert hello.count(NAMED) == 1
    return _lengthened(hello.replace(NAMED, extension), len(extension) - len(NAMED))


def _lengthened(hello: bytes, more: int) -> bytes:
    data = bytearray(hello)
    at = 43 + 1 + data[43]
    at += 2 + int.from_bytes(data[at : at + 2], "big")
    at += 1 + data[at]
    for start, size in ((3, 2), (6, 3), (at, 2)):
        length = int.from_bytes(data[start : start + size], "big") + more
        data[start : start + size] = length.to_bytes(size, "big")
    return bytes(data)


def name_extension(*entries: tuple[int, bytes]) -> bytes:
    listed = b"".join(bytes([kind]) + len(name).to_bytes(2, "big") + name for kind, name in entries)
    listed = len(listed).to_bytes(2, "big") + listed
    return b"\0\0" + len(listed).to_bytes(2, "big") + listed


HOST = (0, b"localhost")
ATTACKS: dict[str, tuple[Callable[[], bytes], str]] = {
    "no name": (lambda: client_hello(None), "names no server"),
    "two names": (lambda: renamed(client_hello("localhost"), name_extension(HOST, (0, b"evil.example"))), "two"),
    "another kind of name": (lambda: renamed(client_hello("localhost"), name_extension((1, b"localhost"))), "two"),
    "two extensions": (lambda: renamed(client_hello("localhost"), NAMED + NAMED), "an extension twice"),
    "an absolute name": (
        lambda: renamed(client_hello("localhost"), name_extension((0, b"localhost."))),
        "an invalid host name",
    ),
    "a NUL": (
        lambda: renamed(client_hello("localhost"), name_extension((0, b"localhost\0.evil.example"))),
        "an invalid host name",
    ),
    "an address": (lambda: renamed(client_hello("localhost"), name_extension((0, b"127.0.0.1"))), "names 127.0.0.1"),
    "ECH": (lambda: renamed(client_hello("localhost"), NAMED + b"\xfe\x0d\x00\x01\x00"), "encrypted_client_hello"),
    "ESNI": (lambda: renamed(client_hello("localhost"), NAMED + b"\xff\xce\x00\x01\x00"), "encrypted_client_hello"),
    "too long": (lambda: records(b"\x16\x03\x01\0\0\x01\xff\xff\xff" + bytes(100_000), 16_000), "too long"),
    "plain HTTP": (lambda: b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "not TLS"),
    "SSH": (lambda: b"SSH-2.0-OpenSSH_9.2\r\n", "not TLS"),
    "SSL 2": (lambda: b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(40), "not TLS"),
    "another message": (lambda: b"\x16\x03\x01\x00\x04\x10\0\0\0", "no ClientHello"),
    "an empty record": (lambda: b"\x16\x03\x01\0\0" + client_hello("localhost"), "not TLS"),
    "more in the record": (lambda: _two_in_a_record(client_hello("localhost")), "other data in its record"),
    "nothing": (lambda: b"", "not complete"),
    "cut": (lambda: client_hello("localhost")[:-1], "not complete"),
}


def _two_in_a_record(hello: bytes) -> bytes:
    return hello[:3] + (2 * (len(hello) - 5)).to_bytes(2, "big") + hello[5:] * 2


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_not_clear_hello_to_host_reaches_nobody(attack: str) -> None:
    made, why = ATTACKS[attack]
    got: list[bytes] = []

    def listen(client: socket.socket) -> None:
        with client:
            got.append(everything(client))

    with (
        listening(listen) as port,
        proxy(f"localhost:{port}") as (through, said),
        tunnel(through, f"localhost:{port}") as sock,
    ):
        sock.sendall(made())
        sock.shutdown(socket.SHUT_WR)
        assert everything(sock)[:1] in (b"", b"\x15"), "nothing but an alert of TLS"
    assert b"".join(got) == b""
    assert why in said[0]


def test_long_hello_is_passed_on() -> None:
    hello = client_hello("localhost", longer=9_000)
    with (
        listening(tls_echo) as port,
        proxy(f"localhost:{port}") as (through, _),
        tunnel(through, f"localhost:{port}") as sock,
    ):
        sock.sendall(hello)
        sock.shutdown(socket.SHUT_WR)
        assert everything(sock) == SERVER_HELLO + hello


def test_address_is_asked_for_without_name(pem: Path) -> None:
    with tls_registry(pem) as (port, asked), proxy(f"127.0.0.1:{port}") as (through, said):
        with tunnel(through, f"127.0.0.1:{port}") as sock:
            trusting(pem).wrap_socket(sock, server_hostname="127.0.0.1").close()
        with tunnel(through, f"127.0.0.1:{port}") as sock, pytest.raises(ssl.SSLError):
            trusting(pem).wrap_socket(sock, server_hostname="evil.example")
    assert asked == [None]
    assert "names evil.example" in said[0]


def test_server_that_does_not_answer_in_tls_is_cut_off() -> None:
    """A server of plain HTTP may pass over a ClientHello as garbage and then answer a request."""
    got: list[bytes] = []

    def lenient(client: socket.socket) -> None:
        with client:
            got.append(client.recv(65536))
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            got.append(everything(client))

    hello = client_hello("localhost")
    with (
        listening(lenient) as port,
        proxy(f"localhost:{port}") as (through, said),
        tunnel(through, f"localhost:{port}") as sock,
    ):
        sock.sendall(hello + b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        everything(sock)
    assert got == [hello, b""]
    assert said == [], "it is not the ClientHello that is wrong"


def test_hello_that_does_not_come_is_not_waited_for_without_end() -> None:
    with (
        listening(lambda client: client.close()) as port,
        proxy(f"localhost:{port}", patience=0.05) as (through, said),
        tunnel(through, f"localhost:{port}") as sock,
    ):
        sock.sendall(client_hello("localhost")[:100])
        everything(sock)
    assert "not complete" in said[0]


def test_head_that_comes_byte_by_byte_is_not_waited_for_without_end() -> None:
    with (
        proxy("localhost", patience=0.1) as (through, _),
        socket.create_connection(("127.0.0.1", through), timeout=30) as sock,
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
