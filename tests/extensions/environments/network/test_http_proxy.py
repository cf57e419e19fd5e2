from __future__ import annotations

import base64
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from urllib.error import HTTPError

import pytest

from extensions.environments.network import socket_pipe
from extensions.environments.network.host_allowlist import HostAllowlist
from extensions.environments.network.http_proxy import Proxy
from tests.extensions.environments.network.loopback_servers import (
    BIG,
    SERVER_HELLO,
    client_hello,
    echo,
    listen,
    receive_all,
    registry,
    tls_echo,
)
from trajectories.errors import ConfigError


@contextmanager
def proxy(*hosts: str, messages: list[str] | None = None, environment: dict[str, str] | None = None) -> Iterator[int]:
    """Serve a proxy that allows `hosts`, and yield its port."""
    core = Proxy(HostAllowlist(hosts), ([] if messages is None else messages).append, environment or {})
    with listen(core.serve) as port:
        try:
            yield port
        finally:
            core.close()


def fetch(proxy_port: int, url: str, data: bytes | None = None) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": f"http://127.0.0.1:{proxy_port}"}))
    with opener.open(urllib.request.Request(url, data), timeout=30) as answer:
        body: bytes = answer.read()
    return body


def send(proxy_port: int, text: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", proxy_port), timeout=30) as sock:
        sock.sendall(text)
        sock.shutdown(socket.SHUT_WR)
        return receive_all(sock)


def test_listed_host_is_reached() -> None:
    with registry() as (port, requests), proxy(f"localhost:{port}") as proxy_port:
        assert fetch(proxy_port, f"http://localhost:{port}/a?b") == f"/a?b of localhost:{port}".encode()
        assert fetch(proxy_port, f"http://localhost:{port}/", b"posted" * 100_000) == b"posted" * 100_000
    assert requests[0][2]["connection"] == "close"


def test_other_host_is_refused_and_reported_once() -> None:
    messages: list[str] = []
    with registry() as (port, requests), proxy("pypi.org", messages=messages) as proxy_port:
        for _ in range(2):
            with pytest.raises(HTTPError) as caught:
                fetch(proxy_port, f"http://localhost:{port}/")
            assert caught.value.code == 403
            assert b"not among the registries" in caught.value.read()
            caught.value.close()
        assert send(proxy_port, b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % port).startswith(b"HTTP/1.1 403 ")
    assert not requests
    assert [f"localhost:{port}" in messages[0], f"127.0.0.1:{port}" in messages[1], len(messages)] == [True, True, 2]


def test_request_for_https_address_without_tunnel_names_its_host() -> None:
    messages: list[str] = []
    with proxy("a.example", messages=messages) as port:
        requests = (f"GET https://{host}/x HTTP/1.1\r\n\r\n" for host in ("a.example", "b.example"))
        listed, other = (send(port, request.encode()) for request in requests)
    assert b" 400 " in listed.splitlines()[0]
    assert b" 403 " in other.splitlines()[0]
    assert [line for line in messages if "b.example:443" in line] == messages != []


def test_reports_of_refused_hosts_are_limited() -> None:
    messages: list[str] = []
    with proxy("pypi.org", messages=messages) as proxy_port:
        for number in range(30):
            send(proxy_port, b"CONNECT host%d.example:443 HTTP/1.1\r\n\r\n" % number)
    assert len(messages) == 11


def test_unlisted_port_is_refused() -> None:
    with listen(echo) as port, proxy("localhost") as proxy_port:
        assert send(proxy_port, b"CONNECT localhost:%d HTTP/1.1\r\n\r\nhello" % port).startswith(b"HTTP/1.1 403 ")


def test_tunnel_passes_half_close_and_later_data() -> None:
    data = client_hello("localhost") + BIG
    with listen(tls_echo) as port, proxy(f"localhost:{port}") as proxy_port:
        answer = send(proxy_port, b"CONNECT localhost:%d HTTP/1.1\r\n\r\n" % port + data)
    assert answer == b"HTTP/1.1 200 Connection established\r\n\r\n" + SERVER_HELLO + data


def test_unreachable_host_is_bad_gateway() -> None:
    with listen(echo) as port:
        pass
    with proxy(f"localhost:{port}") as proxy_port:
        assert send(proxy_port, b"CONNECT localhost:%d HTTP/1.1\r\n\r\n" % port).startswith(b"HTTP/1.1 502 ")


def test_proxy_connects_to_address_that_was_checked() -> None:
    """A name whose address changes between check and connection cannot lead to this machine."""
    answers = iter([["192.0.2.1"], ["127.0.0.1"]])
    with registry() as (port, requests):
        core = Proxy(HostAllowlist([f".example:{port}"], lambda host, _: next(answers)), print, {})
        with listen(core.serve) as proxy_port:
            assert send(proxy_port, b"GET http://a.example:%d/ HTTP/1.1\r\n\r\n" % port).startswith(b"HTTP/1.1 403 ")
            assert send(proxy_port, b"GET http://a.example:%d/ HTTP/1.1\r\n\r\n" % port).startswith(b"HTTP/1.1 403 ")
    assert not requests


def test_second_request_on_connection_is_not_forwarded() -> None:
    with registry() as (port, requests), proxy(f"localhost:{port}") as proxy_port:
        first = b"GET http://localhost:%d/first HTTP/1.1\r\n\r\n" % port
        answer = send(proxy_port, first + b"GET /second HTTP/1.1\r\nHost: evil.example\r\n\r\n")
    assert answer.endswith(b"/first of localhost:%d" % port)
    assert [path for _, path, _ in requests] == ["/first"]


@pytest.mark.slow
def test_simultaneous_downloads_arrive_completely() -> None:
    bodies: list[bytes] = []
    with registry() as (port, _), proxy(f"localhost:{port}") as proxy_port:
        threads = [
            Thread(target=lambda: bodies.append(fetch(proxy_port, f"http://localhost:{port}/big"))) for _ in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(bodies) == 20
    assert all(each == BIG for each in bodies)


def test_idle_connection_is_closed() -> None:
    def stay_silent(client: socket.socket) -> None:
        with client:
            client.sendall(SERVER_HELLO)
            receive_all(client)

    with listen(stay_silent) as port:
        core = Proxy(HostAllowlist([f"localhost:{port}"]), print, {}, idle=0.05)
        with listen(core.serve) as proxy_port, socket.create_connection(("127.0.0.1", proxy_port)) as sock:
            sock.sendall(b"CONNECT localhost:%d HTTP/1.1\r\n\r\n" % port + client_hello("localhost"))
            assert receive_all(sock).startswith(b"HTTP/1.1 200 ")


def test_connection_is_closed_soon_after_server_finishes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_pipe, "_AFTER", 0.05)

    def send_and_close(server: socket.socket) -> None:
        with server:
            server.recv(65536)
            server.sendall(SERVER_HELLO + b"all")

    with listen(send_and_close) as port:
        core = Proxy(HostAllowlist([f"localhost:{port}"]), print, {}, idle=60)
        with listen(core.serve) as proxy_port, socket.create_connection(("127.0.0.1", proxy_port)) as sock:
            sock.sendall(b"CONNECT localhost:%d HTTP/1.1\r\n\r\n" % port + client_hello("localhost"))
            assert receive_all(sock).endswith(b"all")
            sock.settimeout(30)
            assert send_until_broken(sock)


def send_until_broken(sock: socket.socket) -> bool:
    try:
        while True:
            sock.sendall(b"more")
    except ConnectionError:
        return True


def test_closing_ends_current_and_later_connections() -> None:
    with listen(echo) as port:
        core = Proxy(HostAllowlist([f"localhost:{port}"]), print, {})
        with listen(core.serve) as proxy_port, socket.create_connection(("127.0.0.1", proxy_port)) as sock:
            sock.sendall(b"CONNECT localhost:%d HTTP/1.1\r\n\r\n" % port)
            assert sock.recv(100).startswith(b"HTTP/1.1 200 ")
            core.close()
            assert receive_all(sock) == b""
            with socket.create_connection(("127.0.0.1", proxy_port)) as later:
                assert receive_all(later) == b""


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_tunnel_uses_upstream_proxy(name: str) -> None:
    with listen(tls_echo) as port, proxy(f"only-the-other-finds-it.example:{port}", f"localhost:{port}") as other:
        environment = {name: f"http://me:p%40ss@localhost:{other}"}
        with proxy(f"localhost:{port}", environment=environment) as proxy_port:
            data = client_hello("localhost") + b"hello"
            answer = send(proxy_port, b"CONNECT localhost:%d HTTP/1.1\r\n\r\n" % port + data)
    assert answer.endswith(b"\r\n\r\n" + SERVER_HELLO + data)


def test_plain_request_uses_upstream_proxy_with_password() -> None:
    with registry() as (other, requests):
        environment = {"http_proxy": f"localhost:{other}".replace("localhost", "http://me:p%40ss@localhost")}
        with proxy("deb.example", environment=environment) as proxy_port:
            fetch(proxy_port, "http://deb.example/pool")
    ((_, path, headers),) = requests
    assert path == "http://deb.example/pool"
    assert headers["proxy-authorization"] == "Basic " + base64.b64encode(b"me:p@ss").decode()


def test_refusal_of_upstream_proxy_is_reported() -> None:
    with listen(echo) as port, proxy("pypi.org") as other:
        environment = {"HTTPS_PROXY": f"http://localhost:{other}"}
        with proxy(f"localhost:{port}", environment=environment) as proxy_port:
            answer = send(proxy_port, b"CONNECT localhost:%d HTTP/1.1\r\n\r\n" % port)
    assert answer.startswith(b"HTTP/1.1 502 swe-agent: this machine's proxy answered HTTP/1.1 403 ")


@pytest.mark.parametrize("entry", ["localhost", "LOCALHOST", "*", "other, localhost", "localhost:{port}"])
def test_hosts_in_no_proxy_are_reached_directly(entry: str) -> None:
    with registry() as (port, requests):
        environment = {"HTTP_PROXY": "http://localhost:1", "NO_PROXY": entry.format(port=port)}
        with proxy(f"localhost:{port}", environment=environment) as proxy_port:
            fetch(proxy_port, f"http://localhost:{port}/")
    assert len(requests) == 1


@pytest.mark.parametrize("url", ["http://[::1", "http://a:b", "http://", "http://x:99999", "[::1", "http://[a]:1"])
def test_invalid_upstream_proxy_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="proxy, of kind 'http'") as caught:
        Proxy(HostAllowlist([]), print, {"HTTPS_PROXY": url})
    assert "HTTPS_PROXY" in caught.value.fix


def test_upstream_proxy_with_other_scheme_is_refused() -> None:
    with pytest.raises(ConfigError, match="socks5"):
        Proxy(HostAllowlist([]), print, {"ALL_PROXY": "socks5://localhost:1080"})


@pytest.mark.parametrize(
    "second",
    [
        b"GET /second HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET http://localhost:{port}/second HTTP/1.1\r\n\r\n",
        b"POST /second HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 2\r\n\r\nab",
        b"\r\n\r\nGET /second HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    ],
)
def test_data_after_body_is_not_forwarded(second: bytes) -> None:
    with registry() as (port, requests), proxy(f"localhost:{port}") as proxy_port:
        first = (
            b"POST http://localhost:%d/first HTTP/1.1\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc" % port
        )
        with socket.create_connection(("127.0.0.1", proxy_port), timeout=30) as sock:
            sock.sendall(first + second.replace(b"{port}", b"%d" % port))
            assert receive_all(sock).endswith(b"abc")
    assert [path for _, path, _ in requests] == ["/first"]


def test_upgrade_to_other_protocol_is_not_forwarded() -> None:
    """Even if a server agrees to it, as the proxy could not check later data."""
    received: list[bytes] = []

    def agree(server: socket.socket) -> None:
        with server:
            received.append(server.recv(65536))
            server.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
            server.shutdown(socket.SHUT_WR)
            received.append(receive_all(server))

    with listen(agree) as port, proxy(f"localhost:{port}") as proxy_port:
        head = b"GET http://localhost:%d/ HTTP/1.1\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n" % port
        send(proxy_port, head + b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
    assert b"evil.example" not in b"".join(received)
    assert b"Upgrade: x" not in received[0]
    assert b"upgrade" not in received[0].lower()


def test_request_with_two_hosts_is_refused() -> None:
    with registry() as (port, requests), proxy(f"localhost:{port}") as proxy_port:
        answer = send(proxy_port, b"GET http://localhost:%d/ HTTP/1.1\r\nHost: evil.example\r\n\r\n" % port)
    assert answer.startswith(b"HTTP/1.1 400 swe-agent: the request has two different hosts")
    assert not requests
