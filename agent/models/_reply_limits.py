"""Limits of one reply: its bytes, and the seconds without visible progress.

They hold where bytes arrive from the network. The parsers of clients skip whatever only keeps a connection busy
(comments, empty deltas, headers), so that code above them never sees it. A thread that reads looks at its limits at
every TICK, which also frees it soon after an interrupt.
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
"""Seconds between two looks at the limits while nothing arrives."""
ERROR_BYTES = 1 << 18
"""Of an error's body no more is read."""
ERROR_SECONDS = 10.0
UNFRAMED = 4
"""A body that is not streamed may have one part in this many of the bytes: its tokens come without a frame each."""
STREAMED = ("event-stream", "eventstream", "ndjson")
"""Parts of the content types of streams: server-sent events, Amazon's, and JSON lines."""

Reason = Literal["cancelled", "first", "stalled", "large", "compressed", "redirected"]


class LimitReached(Exception):
    """The client passes it on, or wraps it into an error of its own; `ReplyLimits.reached` says why."""


class ReplyLimits:
    """For requests that the present thread makes in the `with` block.

    `first` is in seconds until anything visible arrives (text, reasoning or arguments of a call), `further` between
    any two such; `most` is in bytes. `reached` is null, or the limit that ended the reply; `target` is the server to
    which it was redirected.
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
        """Something visible has arrived."""
        self._overdue, self._deadline = "stalled", time.monotonic() + self._further

    def check(self) -> None:
        """Raises LimitReached if a limit is reached, or the request was cancelled."""
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
        """The next bytes of a connection. Raises LimitReached."""
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
        """The response as clients may read it. Raises LimitReached for a compressed one, which may unpack to any size,
        and for a redirect to another server: clients would send the conversation there, and most keys."""
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
        """An error with the beginning of its body, of which a sentence is shown."""
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
    """The scheme, host and port to which a response redirects; "" if they are those of its request."""
    import httpx

    asked = response.request.url
    try:
        stated = httpx.URL(response.headers["location"])
        url = asked.join(stated)
        is_usual = bool(stated.scheme) == bool(stated.host)  # clients differ in `http:/path`
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
    """Let connections of httpx ask for the limits of the thread that uses them; without any they are as before.

    litellm makes its clients in many places, and some of them cannot be told which transport to use.
    """
    import httpcore
    import httpx

    connect, connect_unix = httpcore.SyncBackend.connect_tcp, httpcore.SyncBackend.connect_unix_socket
    handle = httpx.HTTPTransport.handle_request
    if handle.__module__ == __name__:
        return

    class Stream(httpcore.NetworkStream):
        """A connection whose reader keeps to its limits."""

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
