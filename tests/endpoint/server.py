"""The server: listens on a free port of loopback, records every request, sends answers and faults."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType, TracebackType
from typing import Any, NoReturn, Self, TextIO

from tests.endpoint import chat, messages, responses
from tests.endpoint.answer import PIECES, Answer, Request

PROTOCOLS: dict[str, ModuleType] = {protocol.PATH: protocol for protocol in (chat, messages, responses)}


class Endpoint:
    """A provider on loopback, until it is closed.

    `answers` is a list, used in order, or a function of the request. With `key`, requests without it get 401; with
    `models`, requests for others get 404. `log` receives each request as a line of JSON before its answer. Leaving the
    `with` block raises AssertionError if a request had no answer.
    """

    def __init__(
        self,
        answers: Iterable[Answer] | Callable[[Request], Answer],
        *,
        key: str = "",
        models: Iterable[str] = (),
        port: int = 0,
        log: TextIO | None = None,
    ) -> None:
        self.requests: list[Request] = []
        self.unanswered: list[str] = []
        self.closed = threading.Event()
        self._choose = answers if callable(answers) else _in_order(answers)
        self._key, self._models, self._log = key, tuple(models), log
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.endpoint = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The base URL for Anthropic clients."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def openai(self) -> str:
        """The base URL for OpenAI clients."""
        return f"{self.url}/v1"

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The bodies of all POST requests, in order."""
        return [request.body for request in self.requests if request.method == "POST"]

    def close(self) -> None:
        self.closed.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
        if error is None and self.unanswered:
            raise AssertionError(f"Requests without an answer: {self.unanswered}")

    def record(self, request: Request) -> Answer | None:
        """Record the request; return an error answer if it is not authorised or names an unknown path or model."""
        with self._lock:
            self.requests.append(request)
            if self._log:
                self._log.write(json.dumps({"path": request.path, "at": request.at, "body": request.body}) + "\n")
                self._log.flush()
        key = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._key and key != self._key:
            return Answer(status=401)
        if request.method == "POST" and request.path not in PROTOCOLS:
            return Answer(status=404, error=f"There is no {request.path} here.")
        if self._models and request.method == "POST" and request.model not in self._models:
            return Answer(status=404)
        return None

    def answer(self, request: Request) -> Answer:
        """Record the request and choose its answer."""
        if refused := self.record(request):
            return refused
        try:
            with self._lock:
                return self._choose(request)
        except LookupError as error:
            self.unanswered.append(f"{request.path}: {error}")
            return Answer(status=400, error=f"The endpoint has no answer: {error}")

    def models_body(self) -> dict[str, Any]:
        """Return the body of GET /v1/models."""
        return {"object": "list", "data": [{"id": name, "object": "model", "owned_by": "us"} for name in self._models]}


def _in_order(answers: Iterable[Answer]) -> Callable[[Request], Answer]:
    remaining = iter(answers)

    def choose(request: Request) -> Answer:
        for answer in remaining:
            return answer
        raise LookupError("all answers are used up")

    return choose


_NO_FAULTS = Answer()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    endpoint: Endpoint


class _Closed(Exception):
    """The endpoint is closed while it sends an answer."""


class _Cut(Exception):
    """The answer is cut here, as configured."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # makes streams chunked, so that clients detect a cut
    server: _Server

    @property
    def _closed(self) -> threading.Event:
        return self.server.endpoint.closed

    def do_GET(self) -> None:
        endpoint = self.server.endpoint
        request = self._request()
        refused = endpoint.record(request)
        if refused:
            self._refuse(refused, chat)
        elif request.path == "/v1/models":
            self._body(200, json.dumps(endpoint.models_body()).encode(), {})
        else:
            self._refuse(Answer(status=404), chat)

    def do_POST(self) -> None:
        request = self._request()
        protocol = PROTOCOLS.get(request.path)
        answer = self.server.endpoint.answer(request)
        # A client that was killed or disconnected is not an error of the endpoint.
        with contextlib.suppress(_Cut, _Closed, ConnectionError):
            self._send(answer, request, protocol or chat)

    def _request(self) -> Request:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = self.path.partition("?")[0]
        return Request(self.command, path, headers, data, json.loads(data) if data else {})

    def _send(self, answer: Answer, request: Request, protocol: ModuleType) -> None:
        if answer.hang:
            self._closed.wait()
        if answer.hang or answer.drop:
            self.close_connection = True
        elif answer.reset:
            self._reset()
        elif answer.status >= 400:
            self._refuse(answer, protocol)
        elif request.stream:
            self._stream(answer, request, protocol)
        else:
            whole = json.dumps(protocol.whole(answer, request), ensure_ascii=False).encode()
            self._body(answer.status, whole if answer.raw is None else answer.raw, answer.headers, answer)

    def _reset(self) -> None:
        """Close the socket so that the client's system reports ECONNRESET."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, self.connection.fileno())  # closes it, although the handler's files hold it open
        os.close(null)

    def _refuse(self, answer: Answer, protocol: ModuleType) -> None:
        error = answer.error
        body = dict(error) if isinstance(error, Mapping) else protocol.error(answer.status, error)
        data = json.dumps(body, ensure_ascii=False).encode() if answer.raw is None else answer.raw
        self._body(answer.status, data, answer.headers)

    def _body(self, status: int, data: bytes, headers: Mapping[str, str], faults: Answer = _NO_FAULTS) -> None:
        """Send a body of known length; a cut answer sends less."""
        self._head(status, {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers})
        size = max(1, -(-len(data) // PIECES))
        for part in self._until_cut((data[at : at + size] for at in range(0, len(data), size)), faults):
            self.wfile.write(part)

    def _stream(self, answer: Answer, request: Request, protocol: ModuleType) -> None:
        self._head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked", **answer.headers})
        frames = protocol.frames(answer, request) if answer.raw is None else iter([answer.raw])
        try:
            for frame in self._until_cut(frames, answer):
                self._chunk(b": keepalive\n\n" + frame if answer.keepalive else frame)
        except _Cut:
            if answer.then not in ("end", "error"):
                raise
            if answer.then == "error":
                error = answer.error
                self._chunk(protocol.error_frame(error if isinstance(error, Mapping) else protocol.error(529, error)))
        self._chunk(b"")

    def _until_cut(self, parts: Iterable[bytes], answer: Answer) -> Iterator[bytes]:
        """Yield the parts to send, at the answer's pace. Raises _Cut where it is cut."""
        for sent, part in enumerate(parts):
            if answer.cut == sent:
                self._cut(answer)
            if self._closed.wait(answer.slow):
                raise _Closed
            yield part
            if isinstance(answer.cut, str) and answer.cut.encode() in part:
                self._cut(answer)

    def _cut(self, answer: Answer) -> NoReturn:
        if answer.then == "hang":
            self._closed.wait()
        raise _Cut

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        # One request per connection: no client keeps a socket open after its test.
        for name, value in {"Connection": "close", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: tests read `requests`."""
