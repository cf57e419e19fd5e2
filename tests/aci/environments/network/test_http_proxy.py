from __future__ import annotations

import base64
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from urllib.error import HTTPError

import pytest

from aci.environments.network import socket_pipe
from aci.environments.network.host_allowlist import HostAllowlist
from aci.environments.network.http_proxy import Proxy
from tests.aci.environments.network.loopback_servers import (
    BIG,
    SERVER_HELLO,
    client_hello,
    echo,
    everything,
    listening,
    registry,
    tls_echo,
)
from trajectories.errors import ConfigError


@contextmanager
def proxy(*hosts: str, said: list[str] | None = None, environment: dict[str, str] | None = None) -> Iterator[int]:
    """The port of a proxy to `hosts`."""
    core = Proxy(HostAllowlist(hosts), ([] if said is None else said).append, environment or {})
    with listening(core.serve) as port:
        try:
            yield port
        finally:
            core.close()


def fetch(through: int, url: str, data: bytes | None = None) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": f"http://127.0.0.1:{through}"}))
    with opener.open(urllib.request.Request(url, data), timeout=30) as answer:
        body: bytes = answer.read()
    return body


def ask(through: int, text: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", through), timeout=30) as sock:
        sock.sendall(text)
        sock.shutdown(socket.SHUT_WR)
        return everything(sock)


def test_listed_host_is_reached() -> None:
    with registry() as (port, seen), proxy(f"localhost:{port}") as through:
        assert fetch(through, f"http://localhost:{port}/a?b") == f"/a?b of localhost:{port}".encode()
        assert fetch(through, f"http://localhost:{port}/", b"posted" * 100_000) == b"posted" * 100_000
    assert seen[0][2]["connection"] == "close"


def test_another_host_is_refused_and_told_once() -> None:
    said: list[str] = []
    with registry() as (port, seen), proxy("pypi.org", said=said) as through:
        for _ in range(2):
            with pytest.raises(HTTPError) as caught:
                fetch(through, f"http://localhost:{port}/")
            assert caught.value.code == 403
            assert b"not among the registries" in caught.value.read()
            caught.value.close()
        assert ask(through, b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % port).startswith(b"HTTP/1.1 403 ")
    assert not seen
    assert [f"localhost:{port}" in said[0], f"127.0.0.1:{port}" in said[1], len(said)] == [True, True, 2]


def test_flood_of_hosts_is_not_told_one_by_one() -> None:
    said: list[str] = []
    with proxy("pypi.org", said=said) as through:
        for number in range(30):
            ask(through, b"CONNECT host%d.example:443 HTTP/1.1\r\n\r\n" % number)
    assert len(said) == 11


def test_port_that_is_not_listed_is_refused() -> None:
    with listening(echo) as port, proxy("localhost") as through:
        assert ask(through, b"CONNECT localhost:%d HTTP/1.1\r\n\r\nhello" % port).startswith(b"HTTP/1.1 403 ")


def test_tunnel_passes_end_on_and_what_comes_after_it() -> None:
    said = client_hello("localhost") + BIG
    with listening(tls_echo) as port, proxy(f"localhost:{port}") as through:
        answer = ask(through, b"CONNECT localhost:%d HTTP/1.1\r\n\r\n" % port + said)
    assert answer == b"HTTP/1.1 200 Connection established\r\n\r\n" + SERVER_HELLO + said


def test_host_that_does_not_answer_is_bad_gateway() -> None:
    with listening(echo) as port:
        pass
    with proxy(f"localhost:{port}") as through:
        assert ask(through, b"CONNECT localhost:%d HTTP/1.1\r\n\r\n" % port).startswith(b"HTTP/1.1 502 ")


def test_address_that_was_checked_is_one_that_is_reached() -> None:
    """A name that has another address when it is asked for again cannot lead into this machine."""
    answers = iter([["192.0.2.1"], ["127.0.0.1"]])
    with registry() as (port, seen):
        core = Proxy(HostAllowlist([f".example:{port}"], lambda host, _: next(answers)), print, {})
        with listening(core.serve) as through:
            assert ask(through, b"GET http://a.example:%d/ HTTP/1.1\r\n\r\n" % port).startswith(b"HTTP/1.1 403 ")
            assert ask(through, b"GET http://a.example:%d/ HTTP/1.1\r\n\r\n" % port).startswith(b"HTTP/1.1 403 ")
    assert not seen


def test_second_request_on_connection_is_not_passed_on() -> None:
    with registry() as (port, seen), proxy(f"localhost:{port}") as through:
        first = b"GET http://localhost:%d/first HTTP/1.1\r\n\r\n" % port
        answer = ask(through, first + b"GET /second HTTP/1.1\r\nHost: evil.example\r\n\r\n")
    assert answer.endswith(b"/first of localhost:%d" % port)
    assert [path for _, path, _ in seen] == ["/first"]


def test_many_downloads_at_once_arrive_whole() -> None:
    got: list[bytes] = []
    with registry() as (port, _), proxy(f"localhost:{port}") as through:
        threads = [Thread(target=lambda: got.append(fetch(through, f"http://localhost:{port}/big"))) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(got) == 20
    assert all(each == BIG for each in got)


def test_connection_that_is_silent_too_long_is_ended() -> None:
    def silent(client: socket.socket) -> None:
        with client:
            client.sendall(SERVER_HELLO)
            everything(client)

    with listening(silent) as port:
        core = Proxy(HostAllowlist([f"localhost:{port}"]), print, {}, idle=0.05)
        with listening(core.serve) as through, socket.create_connection(("127.0.0.1", through)) as sock:
            sock.sendall(b"CONNECT localhost:%d HTTP/1.1\r\n\r\n" % port + client_hello("localhost"))
            assert everything(sock).startswith(b"HTTP/1.1 200 ")


def test_client_that_stays_when_all_is_said_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_pipe, "_AFTER", 0.05)

    def says_and_goes(server: socket.socket) -> None:
        with server:
            server.recv(65536)
            server.sendall(SERVER_HELLO + b"all")

    with listening(says_and_goes) as port:
        core = Proxy(HostAllowlist([f"localhost:{port}"]), print, {}, idle=60)
        with listening(core.serve) as through, socket.create_connection(("127.0.0.1", through)) as sock:
            sock.sendall(b"CONNECT localhost:%d HTTP/1.1\r\n\r\n" % port + client_hello("localhost"))
            assert everything(sock).endswith(b"all")
            sock.settimeout(30)
            assert sends_until_it_breaks(sock)


def sends_until_it_breaks(sock: socket.socket) -> bool:
    try:
        while True:
            sock.sendall(b"more")
    except ConnectionError:
        return True


def test_closing_ends_what_is_under_way_and_what_comes_later() -> None:
    with listening(echo) as port:
        core = Proxy(HostAllowlist([f"localhost:{port}"]), print, {})
        with listening(core.serve) as through, socket.create_connection(("127.0.0.1", through)) as sock:
            sock.sendall(b"CONNECT localhost:%d HTTP/1.1\r\n\r\n" % port)
            assert sock.recv(100).startswith(b"HTTP/1.1 200 ")
            core.close()
            assert everything(sock) == b""
            with socket.create_connection(("127.0.0.1", through)) as later:
                assert everything(later) == b""


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_tunnel_goes_through_proxy_of_this_machine(name: str) -> None:
    with listening(tls_echo) as port, proxy(f"only-the-other-finds-it.example:{port}", f"localhost:{port}") as other:
        environment = {name: f"http://me:p%40ss@localhost:{other}"}
        with proxy(f"localhost:{port}", environment=environment) as through:
            said = client_hello("localhost") + b"hello"
            answer = ask(through, b"CONNECT localhost:%d HTTP/1.1\r\n\r\n" % port + said)
    assert answer.endswith(b"\r\n\r\n" + SERVER_HELLO + said)


def test_plain_request_goes_through_proxy_of_this_machine_with_its_password() -> None:
    with registry() as (other, seen):
        environment = {"http_proxy": f"localhost:{other}".replace("localhost", "http://me:p%40ss@localhost")}
        with proxy("deb.example", environment=environment) as through:
            fetch(through, "http://deb.example/pool")
    ((_, path, headers),) = seen
    assert path == "http://deb.example/pool"
    assert headers["proxy-authorization"] == "Basic " + base64.b64encode(b"me:p@ss").decode()


def test_what_proxy_of_this_machine_refuses_is_told() -> None:
    with listening(echo) as port, proxy("pypi.org") as other:
        environment = {"HTTPS_PROXY": f"http://localhost:{other}"}
        with proxy(f"localhost:{port}", environment=environment) as through:
            answer = ask(through, b"CONNECT localhost:%d HTTP/1.1\r\n\r\n" % port)
    assert answer.startswith(b"HTTP/1.1 502 swe-agent: the proxy of this machine said HTTP/1.1 403 ")


@pytest.mark.parametrize("entry", ["localhost", "LOCALHOST", "*", "other, localhost", "localhost:{port}"])
def test_hosts_of_no_proxy_are_reached_directly(entry: str) -> None:
    with registry() as (port, seen):
        environment = {"HTTP_PROXY": "http://localhost:1", "NO_PROXY": entry.format(port=port)}
        with proxy(f"localhost:{port}", environment=environment) as through:
            fetch(through, f"http://localhost:{port}/")
    assert len(seen) == 1


@pytest.mark.parametrize("url", ["http://[::1", "http://a:b", "http://", "http://x:99999", "[::1", "http://[a]:1"])
def test_proxy_that_cannot_be_read_is_told_at_once(url: str) -> None:
    with pytest.raises(ConfigError, match="proxy, of kind 'http'") as caught:
        Proxy(HostAllowlist([]), print, {"HTTPS_PROXY": url})
    assert "HTTPS_PROXY" in caught.value.fix


def test_proxy_of_another_kind_is_told_at_once() -> None:
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
def test_whatever_follows_body_of_request_reaches_nobody(second: bytes) -> None:
    with registry() as (port, seen), proxy(f"localhost:{port}") as through:
        first = (
            b"POST http://localhost:%d/first HTTP/1.1\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc" % port
        )
        with socket.create_connection(("127.0.0.1", through), timeout=30) as sock:
            sock.sendall(first + second.replace(b"{port}", b"%d" % port))
            assert everything(sock).endswith(b"abc")
    assert [path for _, path, _ in seen] == ["/first"]


def test_no_connection_becomes_one_of_another_protocol() -> None:
    """Even where a server agrees to it: what was to go on afterwards is not looked at by anybody."""
    got: list[bytes] = []

    def agreeing(server: socket.socket) -> None:
        with server:
            got.append(server.recv(65536))
            server.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
            server.shutdown(socket.SHUT_WR)
            got.append(everything(server))

    with listening(agreeing) as port, proxy(f"localhost:{port}") as through:
        head = b"GET http://localhost:%d/ HTTP/1.1\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n" % port
        ask(through, head + b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
    assert b"evil.example" not in b"".join(got)
    assert b"Upgrade: x" not in got[0]
    assert b"upgrade" not in got[0].lower()


def test_request_that_names_two_hosts_reaches_neither() -> None:
    with registry() as (port, seen), proxy(f"localhost:{port}") as through:
        answer = ask(through, b"GET http://localhost:%d/ HTTP/1.1\r\nHost: evil.example\r\n\r\n" % port)
    assert answer.startswith(b"HTTP/1.1 400 swe-agent: the request names two hosts")
    assert not seen
