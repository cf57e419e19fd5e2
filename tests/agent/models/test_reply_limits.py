"""Endless replies: limits on the bytes of a reply and on the time without visible progress."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain, count, islice, repeat
from threading import Event, Thread
from typing import Any

import pytest

from agent.models.base import RequestOptions
from agent.models.provider import Provider
from tests.agent.models.conftest import CHAT, CLAUDE, MESSAGES, RESPONSES, Load, get_reply
from tests.endpoint import Answer, Endpoint
from trajectories.errors import Cancelled, ModelError

ALL_PROTOCOLS = pytest.mark.parametrize("name", [CHAT, CLAUDE, RESPONSES])
PAUSE = 0.002
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
SMALL = {"max_reply": "16m"}
QUICK = {"first_timeout": 0.4, "model_timeout": 0.4}
Serve = Callable[[Iterator[bytes]], "Server"]


class Server:
    """Answer each connection with `parts`, one after the other, until the client closes it."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self.client_closed = Event()
        """Set when the client has closed the connection."""
        self.started = Event()
        self.ended = Event()
        self._parts = parts
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.openai = f"{self.url}/v1"
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError), self._socket.accept()[0] as client:
            client.settimeout(10)
            client.recv(1 << 20)
            try:
                for part in self._parts:
                    if self.ended.wait(PAUSE if len(part) < 1000 else 0):
                        return
                    client.sendall(part)
                    self.started.set()
                while client.recv(1 << 16):  # nothing more is sent; the client waits or disconnects
                    pass
            except TimeoutError:
                return
            except OSError:
                pass
            self.client_closed.set()

    def close(self) -> None:
        self.ended.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[Server] = []

    def start(parts: Iterator[bytes]) -> Server:
        servers.append(Server(parts))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def frame(delta: dict[str, Any]) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return f"data: {json.dumps(chunk)}\n\n".encode()


def call(index: int, **piece: Any) -> bytes:
    return frame({"tool_calls": [{"index": index, "type": "function", **piece}]})


def request_error(load: Load, server: Server, name: str = CHAT, **settings: Any) -> ModelError:
    """Return the error of the request, after which the connection is closed."""
    with pytest.raises(ModelError) as raised:
        get_reply(load(server, name, settings=settings))
    assert server.client_closed.wait(10)
    return raised.value


IDLE = {
    "comments": b": still here\n\n",
    "empty deltas": frame({"content": ""}),
    "roles": frame({"role": "assistant"}),
    "ids": call(0, id="call_" + "x" * 40),
    "names": call(0, function={"name": "view" * 10}),
    "calls without arguments": call(0, function={"arguments": ""}),
    "blank lines": b"\n",
    "half a line": b"data: {",
}


@pytest.mark.parametrize("piece", IDLE.values(), ids=IDLE.keys())
def test_chunks_without_output_do_not_reset_timeout(load: Load, serve: Serve, piece: bytes) -> None:
    raised = request_error(load, serve(chain([STREAM], repeat(piece))), **QUICK)
    assert "SWE_AGENT_FIRST_TIMEOUT" in raised.fix
    assert (raised.retryable, raised.billed, raised.usage) == (True, True, None)


@ALL_PROTOCOLS
def test_comments_do_not_reset_timeout_in_any_protocol(load: Load, serve: Serve, name: str) -> None:
    raised = request_error(load, serve(chain([STREAM], repeat(b": still here\n\n"))), name, **QUICK)
    assert "SWE_AGENT_FIRST_TIMEOUT" in raised.fix
    assert (raised.retryable, raised.billed) == (True, True)


@pytest.mark.parametrize(
    "first",
    [frame({"content": "I"}), frame({"reasoning_content": "Hm"}), call(0, id="1", function={"arguments": "{"})],
    ids=["text", "reasoning", "arguments"],
)
def test_shorter_timeout_applies_after_first_output(load: Load, serve: Serve, first: bytes) -> None:
    server = serve(chain([STREAM, first], repeat(b": still here\n\n")))
    raised = request_error(load, server, first_timeout=600, model_timeout=0.4)
    assert "SWE_AGENT_MODEL_TIMEOUT" in raised.fix


@pytest.mark.slow
def test_slow_first_token_is_awaited(load: Load) -> None:
    with Endpoint([Answer(text="At last.", slow=0.3)]) as endpoint:
        assert get_reply(load(endpoint, settings={"first_timeout": 60, "model_timeout": 5})).text == "At last."


HEADERS = {
    "status line": (b"HTTP/1.1 200 ", b"O" * 500),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-A: " + b"b" * 500 + b"\r\n"),
    "slow headers": (b"HTTP/1.1 200 OK\r\n", b"X"),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "nothing": (b"", b""),
}


@pytest.mark.parametrize(("head", "piece"), HEADERS.values(), ids=HEADERS.keys())
def test_endless_headers_time_out(load: Load, serve: Serve, head: bytes, piece: bytes) -> None:
    parts = chain([head], repeat(piece)) if piece else iter(())
    raised = request_error(load, serve(parts), **QUICK)
    assert (raised.retryable, raised.billed) == (True, True)


LARGE = {
    "json": (JSON, b'{"choices": [' + b" " * (1 << 20)),
    "line": (STREAM, b"data: " + b"x" * (1 << 20)),
    "comments": (STREAM, b": " + b"x" * (1 << 20) + b"\n\n"),
    "ids": (STREAM, b"".join(call(n, id="i" * (1 << 17)) for n in range(8))),
}


@pytest.mark.slow
@pytest.mark.parametrize(("head", "piece"), LARGE.values(), ids=LARGE.keys())
def test_reply_size_is_limited(load: Load, serve: Serve, head: bytes, piece: bytes) -> None:
    raised = request_error(load, serve(chain([head], repeat(piece))), **SMALL)
    assert "SWE_AGENT_MAX_REPLY" in raised.fix
    assert (raised.retryable, raised.billed, raised.usage) == (False, True, None)


END = b"\r\nConnection: close\r\nContent-Length: "
DONE = b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'


def ollama(content: str, **more: Any) -> bytes:
    return json.dumps({"model": "m", "message": {"role": "assistant", "content": content}, **more}).encode() + b"\n"


STREAMS = {
    "events": (CHAT, b"text/event-stream", b": " + b"x" * (5 << 20) + b"\n\n", frame({"content": "Hi"}) + DONE),
    "lines of JSON": (
        "ollama_chat/m",
        b"application/x-ndjson",
        ollama("", done=False, x="x" * (1 << 16)) * 80,
        ollama("Hi", done=True, done_reason="stop"),
    ),
}


@pytest.mark.parametrize(("name", "kind", "filling", "end"), STREAMS.values(), ids=STREAMS.keys())
def test_stream_below_size_limit_is_read(
    load: Load, serve: Serve, name: str, kind: bytes, filling: bytes, end: bytes
) -> None:
    body = filling + end
    server = serve(iter([b"HTTP/1.1 200 OK\r\nContent-Type: %b%b%d\r\n\r\n" % (kind, END, len(body)), body]))
    assert get_reply(load(server, name, settings=SMALL, api_base=server.url)).text == "Hi"


def test_names_of_tools_count_as_output(load: Load, serve: Serve) -> None:
    endless = repeat(call(0, id="1", function={"name": "view" * 1000}))
    with ThreadPoolExecutor(1) as pool:
        server = serve(chain([STREAM], endless))
        reply = pool.submit(load(server).reply, MESSAGES, [], RequestOptions("main", 1, 1000)).result()
    assert server.client_closed.wait(10)
    assert reply.usage is None
    assert len(reply.actions[0].tool) < 1000


def test_calls_without_name_count_as_output(load: Load, serve: Serve) -> None:
    endless = (call(number, id="", function={"name": "", "arguments": ""}) for number in count())
    with ThreadPoolExecutor(1) as pool:
        server = serve(chain([STREAM, frame({"content": "I look."})], (b"".join(islice(endless, 50)) for _ in count())))
        reply = pool.submit(load(server).reply, MESSAGES, [], RequestOptions("main", 1, 100)).result()
    assert server.client_closed.wait(10)
    assert len(reply.actions) <= 150


@pytest.mark.slow
@pytest.mark.parametrize("status", [400, 429, 500])
def test_error_is_read_up_to_displayed_length(load: Load, serve: Serve, status: int) -> None:
    head = b"HTTP/1.1 %d No\r\nContent-Type: application/json\r\nRetry-After: 3\r\n\r\n" % status
    server = serve(chain([head, b'{"error": {"message": "not so fast", "x": "'], repeat(b"y" * (1 << 18))))
    raised = request_error(load, server)
    assert f"answered {status}: not so fast" in raised.message
    assert not raised.billed
    assert raised.wait == (3 if raised.retryable else None)


def test_slow_error_body_is_cut(load: Load, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.models._reply_limits.ERROR_SECONDS", 0.3)
    head = b"HTTP/1.1 400 No\r\nContent-Type: application/json\r\n\r\n"
    raised = request_error(load, serve(chain([head, b'{"error": {"message": "no such thing"}}'], repeat(b" "))))
    assert "400: no such thing" in raised.message


@pytest.mark.slow
@ALL_PROTOCOLS
@pytest.mark.parametrize("status", [200, 500])
def test_compressed_reply_is_rejected_undecoded(load: Load, serve: Serve, name: str, status: int) -> None:
    bomb = gzip.compress(b" " * (64 << 20), 9)
    head = b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n" % status
    raised = request_error(load, serve(iter([head + b"Content-Length: %d\r\n\r\n" % len(bomb), bomb])), name)
    assert ("compressed" in raised.message) == (status == 200)


def test_requests_accept_only_identity_encoding(load: Load) -> None:
    with Endpoint([Answer(text="ok")]) as endpoint:
        get_reply(load(endpoint))
    assert endpoint.requests[0].headers["accept-encoding"] == "identity"


CUT = {
    "before the headers": [],
    "in the headers": [b"HTTP/1.1 200 OK\r\n"],
    "before the first token": [STREAM],
    "in the text": [STREAM, frame({"content": "I"})],
    "in a body": [JSON, b'{"choices": ['],
    "in an error": [b"HTTP/1.1 500 No\r\n\r\n", b"{"],
}


@pytest.mark.parametrize("parts", CUT.values(), ids=CUT.keys())
def test_interrupt_frees_reading_thread(load: Load, serve: Serve, parts: list[bytes]) -> None:
    server, cancel, raised = serve(iter(parts)), Event(), []
    model: Provider = load(server)

    def request() -> None:
        try:
            model.reply(MESSAGES, [], RequestOptions("main", 1, 1000, cancel))
        except Exception as error:  # noqa: BLE001 - checked below
            raised.append(error)

    thread = Thread(target=request, daemon=True)
    thread.start()
    if parts:
        assert server.started.wait(10)
    cancel.set()
    thread.join(10)
    assert not thread.is_alive()
    assert server.client_closed.wait(10)
    assert [type(error) for error in raised] == [Cancelled]
