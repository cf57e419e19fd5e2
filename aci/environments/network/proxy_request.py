"""What a client asks a proxy for, taken apart strictly: what two readers could understand differently is refused."""

from __future__ import annotations

import re
import socket
import time
from dataclasses import dataclass

from aci.environments.allowing import Refusal, host_and_port
from aci.environments.pumping import receive

_HEAD_BYTES = 32768
_METHODS = ("GET", "HEAD", "POST")
_FIRST = re.compile(r"([A-Z]{3,10}) ([!-~]{1,8192}) HTTP/1\.[01]")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_WHOLE = re.compile(r"http://([^/?#@]+)([/?][^#]*)?", re.IGNORECASE)
_DROPPED = ("connection", "keep-alive", "te", "trailer", "upgrade", "host")


@dataclass(frozen=True, slots=True)
class Request:
    """For a tunnel `path` is empty; otherwise `length` bytes of body belong to it. `begun` came with the head."""

    method: str
    host: str
    port: int
    path: str
    headers: tuple[tuple[str, str], ...]
    length: int
    begun: bytes

    @property
    def tunnel(self) -> bool:
        return self.method == "CONNECT"

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 80 and not self.tunnel else f"{host}:{self.port}"

    def head(self, target: str, more: tuple[bytes, ...] = ()) -> bytes:
        """The head as it goes on: it asks for one answer only, and of the host that was checked."""
        kept = [f"{name}: {value}" for name, value in self.headers if _goes_on(name)]
        lines = [f"{self.method} {target} HTTP/1.1", f"Host: {self.authority}", *kept, "Connection: close"]
        return b"\r\n".join([line.encode("latin-1") for line in lines] + [*more, b"", b""])


def read(client: socket.socket, seconds: float) -> Request:
    """The request whose head comes from `client` within `seconds`. Raises Refusal for one that is too late, too long,
    wrong or not clear."""
    data, until = b"", time.monotonic() + seconds
    while b"\r\n\r\n" not in data:
        if len(data) > _HEAD_BYTES:
            raise Refusal(431, "the head of the request is too long")
        try:
            more = receive(client, until)
        except TimeoutError as error:
            raise Refusal(408, "the request did not come") from error
        if not more:
            raise Refusal(400, "the request is cut")
        data += more
    head, _, begun = data.partition(b"\r\n\r\n")
    return _parsed(head.decode("latin-1").split("\r\n"), begun)


def _parsed(lines: list[str], begun: bytes) -> Request:
    first = _FIRST.fullmatch(lines[0])
    fields = [_FIELD.fullmatch(line) for line in lines[1:]]
    if not first or not all(fields):
        raise Refusal(400, "the request is no HTTP")
    headers = tuple((field[1].lower(), field[2].strip(" \t")) for field in fields if field)
    method, target = first[1], first[2]
    if method == "CONNECT":
        return Request(method, *_place(target), "", headers, 0, begun)
    if method not in _METHODS:
        raise Refusal(405, f"{method} is not among {', '.join(_METHODS)} and CONNECT")
    whole = _WHOLE.fullmatch(target)
    if not whole:
        raise Refusal(400, "what is asked for is no http:// address")
    place, path, length = _place(whole[1], 80), whole[2] or "/", _length(headers)
    if any(_place(value, 80) != place for name, value in headers if name == "host"):
        raise Refusal(400, "the request names two hosts")
    return Request(method, *place, path if path[0] == "/" else f"/{path}", headers, length, begun[:length])


def _place(text: str, default: int | None = None) -> tuple[str, int]:
    try:
        return host_and_port(text, default)
    except ValueError as error:
        raise Refusal(400, "what is asked for names no host and port") from error


def _length(headers: tuple[tuple[str, str], ...]) -> int:
    """The length of the body; two of them, or a body without one, could smuggle a second request."""
    given = [value for name, value in headers if name == "content-length"]
    if any(name == "transfer-encoding" for name, _ in headers):
        raise Refusal(411, "the request has a body of no stated length")
    if len(given) > 1 or not all(re.fullmatch("[0-9]{1,15}", value) for value in given):
        raise Refusal(400, "the length of the request is not clear")
    return int(given[0]) if given else 0


def _goes_on(name: str) -> bool:
    return name not in _DROPPED and not name.startswith("proxy-")
