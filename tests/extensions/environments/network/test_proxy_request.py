from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.environments.network.host_allowlist import Refusal
from extensions.environments.network.proxy_request import Request, read_request


def parse(data: bytes) -> Request:
    client, server = socket.socketpair()
    with client, server:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        return read_request(server, 0.2)


def status(data: bytes) -> int:
    with pytest.raises(Refusal) as caught:
        parse(data)
    return caught.value.status


def test_connect_request_opens_tunnel() -> None:
    request = parse(b"CONNECT pypi.org:443 HTTP/1.1\r\nHost: pypi.org:443\r\n\r\nhello")
    assert (request.tunnel, request.host, request.port, request.begun) == (True, "pypi.org", 443, b"hello")


def test_plain_request_is_rewritten_for_checked_host_and_one_answer() -> None:
    request = parse(
        b"GET http://deb.example:81/a?b=c HTTP/1.1\r\nHost: DEB.example:81\r\nProxy-Authorization: x\r\n"
        b"Connection: keep-alive\r\nAccept: a, b\r\n\r\n"
    )
    assert (request.host, request.port, request.path) == ("deb.example", 81, "/a?b=c")
    assert request.head(request.path) == (
        b"GET /a?b=c HTTP/1.1\r\nHost: deb.example:81\r\naccept: a, b\r\nConnection: close\r\n\r\n"
    )


def test_body_is_limited_to_content_length() -> None:
    request = parse(b"POST http://a.example HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n")
    assert (request.path, request.length, request.begun) == ("/", 3, b"abc")
    assert parse(b"GET http://a.example?q HTTP/1.1\r\n\r\n").path == "/?q"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"GET / HTTP/1.1", 400),
        (b"GET ftp://a.example/ HTTP/1.1", 400),
        (b"GET http://user@a.example/ HTTP/1.1", 400),
        (b"GET http://a.example/\tb HTTP/1.1", 400),
        (b"GET http://a.example/ HTTP/1.1\r\nX: a\nY: b", 400),
        (b"GET http://a.example/ HTTP/1.1\r\nX: a\rY: b", 400),
        (b"GET http://a.example/ HTTP/1.1\r\nX: a\0b", 400),
        (b"GET http://a.example/ HTTP/1.1\r\nX: a\r\n folded", 400),
        (b"GET http://a.example/ HTTP/1.1\r\nX : a", 400),
        (b"GET http://a.example/ HTTP/1.1\r\nno colon", 400),
        (b"GET http://a.example/\r\nX: y HTTP/1.1", 400),
        (b"CONNECT a.example HTTP/1.1", 400),
        (b"CONNECT a.example:443@b.example:443 HTTP/1.1", 400),
        (b"CONNECT a.example:443/ HTTP/1.1", 400),
        (b"GET http://a.example/ HTTP/2", 400),
        (b"PUT http://a.example/ HTTP/1.1", 405),
        (b"DELETE http://a.example/ HTTP/1.1", 405),
        (b"POST http://a.example/ HTTP/1.1\r\nTransfer-Encoding: chunked", 411),
        (b"POST http://a.example/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2", 400),
        (b"POST http://a.example/ HTTP/1.1\r\nContent-Length: +1", 400),
        (b"GET http://a.example/ HTTP/1.1\r\nHost: evil.example", 400),
        (b"GET http://a.example/ HTTP/1.1\r\nHost: a.example:81", 400),
        (b"GET http://a.example/ HTTP/1.1\r\nHost: a.example, evil.example", 400),
        (b"GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nHost: evil.example", 400),
        (b"GET http://a.example/ HTTP/1.1\r\nHost:", 400),
        (b"\x16\x03\x01 TLS", 400),
        (b"", 400),
    ],
)
def test_invalid_or_ambiguous_request_is_refused(head: bytes, expected: int) -> None:
    assert status(head + b"\r\n\r\n") == expected


def test_huge_or_incomplete_head_is_refused() -> None:
    assert status(b"GET http://a.example/ HTTP/1.1\r\n" + b"X: yyyyyyyyyyyyyyyy\r\n" * 5000) == 431
    assert status(b"GET http://a.example/ HTTP/1.1\r\nHost: a.ex") == 400


def test_missing_head_times_out() -> None:
    client, server = socket.socketpair()
    with client, server, pytest.raises(Refusal) as caught:
        read_request(server, 0.01)
    assert caught.value.status == 408


@given(st.lists(st.sampled_from([b"GET ", b"http://a.example", b"/", b" HTTP/1.1", b"\r\n", b"\n", b"\r", b"X:", b" ",
                                 b"\0", b"Host: e", b"\x85", b"Content-Length: 0", b"y"]), max_size=14))  # fmt: skip
def test_no_input_injects_header_line(parts: list[bytes]) -> None:
    try:
        request = parse(b"".join(parts) + b"\r\n\r\n")
    except Refusal:
        return
    head = request.head(request.path)
    assert head.count(b"\r\n\r\n") == 1
    assert head.endswith(b"\r\n\r\n")
    assert head.count(b"\r") == head.count(b"\n") == head.count(b"\r\n")
    assert head.lower().count(b"\r\nhost:") == 1
