"""Limits of one reply: its bytes, and the seconds without visible progress.

They are enforced where bytes arrive from the network. Client parsers skip data that only keeps a connection busy
(comments, empty deltas, headers), so code above them never sees it. A reading thread checks its limits every TICK
seconds, so it also responds quickly to an interrupt.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from math import inf
from threading import Event, Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    import httpcore
    import httpx

TICK = 0.1
"""Seconds between two checks of the limits while nothing arrives."""
ERROR_BYTES = 1 << 18
"""Maximum number of bytes of an error's body that are read."""
ERROR_SECONDS = 10.0
UNFRAMED = 4
"""Divisor of the byte limit for a body that is not streamed: its tokens are not sent in separate frames."""
STREAMED = ("event-stream", "eventstream", "ndjson")
"""Substrings that identify the content types of streams: server-sent events, Amazon's, and JSON lines."""

Reason = Literal["cancelled", "first", "stalled", "large", "compressed", "redirected"]


class LimitReached(Exception):
    """Raised when a limit is reached. Clients propagate or wrap this exception; `ReplyLimits.reached` holds the
    reason."""


class ReplyLimits:
    """Limits for the requests that the current thread makes in the `with` block.

    `first` is the maximum time in seconds until anything visible arrives (text, reasoning or arguments of a call),
    `further` the maximum time between two such arrivals, and `most` the maximum number of bytes. `reached` is null, or
    the limit that ended the reply. `target` is the server to which the request was redirected.
    """

    def __init__(self, cancel: Event, first: float, further: float, most: int) -> None:
        self.reached: Reason | None = None
        self.target = ""
        self._cancel = cancel
        self._further = further
        self._most = most
        self._share = 1
        self._bytes = 0
        self._first = first
        self._overdue: Reason = "first"
        self._deadline = inf

    def __enter__(self) -> Self:
        with _installing:
            _install()
        self._token = _current.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        _current.reset(self._token)

    def start_clock(self) -> None:
        """Start the time limit with the first request; redirects do not restart it."""
        self._deadline = min(self._deadline, time.monotonic() + self._first)

    def progressed(self) -> None:
        """Restart the time limit, since something visible has arrived."""
        self._overdue, self._deadline = "stalled", time.monotonic() + self._further

    def check(self) -> None:
        """Raise LimitReached if a limit is reached or the request was cancelled."""
        if self.reached is None:
            if self._cancel.is_set():
                self.reached = "cancelled"
            elif self._bytes > self._most // self._share:
                self.reached = "large"
            elif time.monotonic() >= self._deadline:
                self.reached = self._overdue
        if self.reached is not None:
            raise LimitReached

    def read(self, stream: httpcore.NetworkStream, max_bytes: int) -> bytes:
        """Return the next bytes from a connection. Raises LimitReached."""
        import httpcore

        while True:
            self.check()
            try:
                data = stream.read(max_bytes, min(TICK, max(self._deadline - time.monotonic(), TICK / 10)))
            except httpcore.ReadTimeout:
                continue
            self._bytes += len(data)
            return data

    def filtered(self, response: httpx.Response) -> httpx.Response:
        """Return the response if clients can read it safely.

        Raises LimitReached for a compressed response, which may decompress to any size, and for a redirect to another
        server, since most clients would send the conversation and the key there.
        """
        if response.has_redirect_location and (target := _redirect_target(response)):
            response.close()
            self.reached, self.target = "redirected", target
            raise LimitReached
        is_plain = response.headers.get("content-encoding", "identity") in ("", "identity")
        if response.status_code >= 400:
            return self._error(response, is_plain)
        if not is_plain:
            response.close()
            self.reached = "compressed"
            raise LimitReached
        kind = response.headers.get("content-type", "").lower()
        self._share = 1 if any(each in kind for each in STREAMED) else UNFRAMED
        return response

    def _error(self, response: httpx.Response, is_plain: bool) -> httpx.Response:
        """Return an error response with the first part of its body, which the error message quotes."""
        import httpx

        body = bytearray()
        before = self._deadline
        self._deadline = min(before, time.monotonic() + ERROR_SECONDS)
        try:
            for chunk in response.iter_raw() if is_plain else ():
                body += chunk
                if len(body) > ERROR_BYTES:
                    break
        except LimitReached:
            if self.reached == "cancelled":
                raise
            self.reached = None
        finally:
            self._deadline = before
            response.close()
        headers = response.headers.copy()
        for name in ("content-encoding", "content-length", "transfer-encoding"):
            headers.pop(name, None)
        short = httpx.Response(response.status_code, headers=headers, content=bytes(body))
        short.extensions = response.extensions
        return short


def _redirect_target(response: httpx.Response) -> str:
    """Return the scheme, host and port to which a response redirects, or "" if they are the same as in its request."""
    import httpx

    asked = response.request.url
    try:
        stated = httpx.URL(response.headers["location"])
        url = asked.join(stated)
        is_usual = bool(stated.scheme) == bool(stated.host)  # clients interpret `http:/path` differently
        if is_usual and _origin(url) == _origin(asked):
            return ""
        return f"{url.scheme}://{url.netloc.decode('ascii')}"
    except (httpx.InvalidURL, ValueError, TypeError):
        return "an address that is not valid"


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host.lower(), url.port or {"http": 80, "https": 443}.get(url.scheme)


_current: ContextVar[ReplyLimits | None] = ContextVar("reply_limits", default=None)
_installing = Lock()


def _install() -> None:
    """Patch httpx so that each connection obeys the limits of the thread that uses it, if there are any.

    litellm creates clients in many places, and some of them do not accept a transport.
    """
    import httpcore
    import httpx

    connect, connect_unix = httpcore.SyncBackend.connect_tcp, httpcore.SyncBackend.connect_unix_socket
    handle = httpx.HTTPTransport.handle_request
    if handle.__module__ == __name__:
        return

    class Stream(httpcore.NetworkStream):
        """A connection that obeys the limits of the thread that reads it."""

        def __init__(self, stream: httpcore.NetworkStream) -> None:
            self._stream = stream

        def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
            limits = _current.get()
            return self._stream.read(max_bytes, timeout) if limits is None else limits.read(self._stream, max_bytes)

        def write(self, buffer: bytes, timeout: float | None = None) -> None:
            self._stream.write(buffer, timeout)

        def close(self) -> None:
            self._stream.close()

        def start_tls(self, *args: Any, **options: Any) -> Stream:
            return Stream(self._stream.start_tls(*args, **options))

        def get_extra_info(self, info: str) -> Any:
            return self._stream.get_extra_info(info)

    def handle_request(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        limits = _current.get()
        if limits is None:
            return handle(self, request)
        limits.start_clock()
        request.headers["Accept-Encoding"] = "identity"
        response = handle(self, request)
        response.request = request
        return limits.filtered(response)

    def connect_tcp(self: httpcore.SyncBackend, *args: Any, **options: Any) -> httpcore.NetworkStream:
        return Stream(connect(self, *args, **options))

    def connect_unix_socket(self: httpcore.SyncBackend, *args: Any, **options: Any) -> httpcore.NetworkStream:
        return Stream(connect_unix(self, *args, **options))

    httpcore.SyncBackend.connect_tcp = connect_tcp  # type: ignore[method-assign]
    httpcore.SyncBackend.connect_unix_socket = connect_unix_socket  # type: ignore[method-assign]
    httpx.HTTPTransport.handle_request = handle_request  # type: ignore[method-assign]
