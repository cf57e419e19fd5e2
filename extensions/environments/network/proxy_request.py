"""A strict parser of requests to a proxy. Ambiguous requests are refused."""

from __future__ import annotations

import re
import socket
import time
from dataclasses import dataclass

from extensions.environments.network.host_allowlist import Refusal, host_and_port
from extensions.environments.network.socket_pipe import receive

_HEAD_BYTES = 32768
_METHODS = ("GET", "HEAD", "POST")
_FIRST = re.compile(r"([A-Z]{3,10}) ([!-~]{1,8192}) HTTP/1\.[01]")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_WHOLE = re.compile(r"(https?)://([^/?#@]+)([/?][^#]*)?", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}
_DROPPED = ("connection", "keep-alive", "te", "trailer", "upgrade", "host")


@dataclass(frozen=True, slots=True)
class Request:
    """A parsed request to the proxy. For a tunnel `path` is empty; otherwise the body has `length` bytes. `begun` is
    the data that was received together with the head. A request for an https:// address that is not a tunnel names its
    host, but cannot be answered."""

    method: str
    host: str
    port: int
    path: str
    headers: tuple[tuple[str, str], ...]
    length: int
    begun: bytes
    scheme: str = "http"

    @property
    def tunnel(self) -> bool:
        return self.method == "CONNECT"

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 80 and not self.tunnel else f"{host}:{self.port}"

    def head(self, target: str, more: tuple[bytes, ...] = ()) -> bytes:
        """Return the request head to forward: it names the checked host and requests that the connection be closed
        after one response."""
        forwarded = [f"{name}: {value}" for name, value in self.headers if _is_forwarded(name)]
        lines = [f"{self.method} {target} HTTP/1.1", f"Host: {self.authority}", *forwarded, "Connection: close"]
        return b"\r\n".join([line.encode("latin-1") for line in lines] + [*more, b"", b""])


def read_request(client: socket.socket, seconds: float) -> Request:
    """Read a request from `client`; its head must arrive within `seconds`.

    Raises Refusal if the request is too late, too long, invalid or ambiguous.
    """
    data, until = b"", time.monotonic() + seconds
    while b"\r\n\r\n" not in data:
        if len(data) > _HEAD_BYTES:
            raise Refusal(431, "the head of the request is too long")
        try:
            more = receive(client, until)
        except TimeoutError as error:
            raise Refusal(408, "the request did not arrive in time") from error
        if not more:
            raise Refusal(400, "the request is truncated")
        data += more
    head, _, begun = data.partition(b"\r\n\r\n")
    return _parse(head.decode("latin-1").split("\r\n"), begun)


def _parse(lines: list[str], begun: bytes) -> Request:
    first = _FIRST.fullmatch(lines[0])
    fields = [_FIELD.fullmatch(line) for line in lines[1:]]
    if not first or not all(fields):
        raise Refusal(400, "the request is not valid HTTP")
    headers = tuple((field[1].lower(), field[2].strip(" \t")) for field in fields if field)
    method, target = first[1], first[2]
    if method == "CONNECT":
        return Request(method, *_parse_target(target), "", headers, 0, begun)
    if method not in _METHODS:
        raise Refusal(405, f"{method} is not among {', '.join(_METHODS)} and CONNECT")
    whole = _WHOLE.fullmatch(target)
    if not whole:
        raise Refusal(400, "the target of the request is not an http:// address")
    scheme = whole[1].lower()
    place, path, length = _parse_target(whole[2], _PORTS[scheme]), whole[3] or "/", _length(headers)
    if any(_parse_target(value, _PORTS[scheme]) != place for name, value in headers if name == "host"):
        raise Refusal(400, "the request has two different hosts")
    return Request(method, *place, path if path[0] == "/" else f"/{path}", headers, length, begun[:length], scheme)


def _parse_target(text: str, default: int | None = None) -> tuple[str, int]:
    try:
        return host_and_port(text, default)
    except ValueError as error:
        raise Refusal(400, "the target of the request is not a valid host and port") from error


def _length(headers: tuple[tuple[str, str], ...]) -> int:
    """Return the length of the body. A request with two lengths, or with a body of unknown length, could smuggle a
    second request."""
    given = [value for name, value in headers if name == "content-length"]
    if any(name == "transfer-encoding" for name, _ in headers):
        raise Refusal(411, "the request has a body without a stated length")
    if len(given) > 1 or not all(re.fullmatch("[0-9]{1,15}", value) for value in given):
        raise Refusal(400, "the length of the request is ambiguous")
    return int(given[0]) if given else 0


def _is_forwarded(name: str) -> bool:
    return name not in _DROPPED and not name.startswith("proxy-")
