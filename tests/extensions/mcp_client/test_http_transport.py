"""A server at an address, with a plain HTTP server on this machine."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest

from extensions.mcp_client.client import McpClient, open_transport
from extensions.mcp_client.messages import ServerFailed, ServerTimeout
from tests.extensions.mcp_client.conftest import server_table
from trajectories.errors import Cancelled

TOKEN = "secret-of-the-server"


class Handler(BaseHTTPRequestHandler):
    """Answers as the server's `behaviour` says."""

    server: AddressServer

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.received.append((dict(self.headers), message))
        behaviour, method = self.server.behaviour, message.get("method")
        if behaviour == "drips" and "id" not in message:
            self._drip()
        elif "id" not in message or not method:
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif behaviour == "refuses":
            self._send(b"", status=401)
        elif behaviour == "redirects":
            self.send_response(307)
            self.send_header("Location", f"http://localhost:{self.server.server_port}/other")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif method == "initialize":
            self._answer(message["id"], {"protocolVersion": "2025-06-18"})
        else:
            self._answer_call(behaviour, message)

    def _answer_call(self, behaviour: str, message: dict[str, Any]) -> None:
        result = {"content": [{"type": "text", "text": "here"}]}
        answer = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()
        if behaviour == "html":
            self._send(b"<html>Welcome", kind="text/html")
        elif behaviour == "hangs":
            self.server.released.wait(30)
        elif behaviour == "events":
            note = b'{"jsonrpc":"2.0","method":"notifications/message"}'
            asked = b'{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{}}'
            first, second = answer.split(b" ", 1)
            events = b": hello\n\ndata: " + note + b"\n\nevent: message\r\ndata: " + asked + b"\r\n\r\n"
            self._send(events + b"data: " + first + b"\ndata:" + second + b"\n\n", kind="text/event-stream")
        elif behaviour == "cut":
            self._send(b"data: {", kind="text/event-stream")
        elif behaviour == "floods":
            self._flood()
        else:
            self._answer(message["id"], result)

    def do_DELETE(self) -> None:
        self.server.received.append((dict(self.headers), {"method": "DELETE"}))
        self._send(b"")

    def _drip(self) -> None:
        """Send a header without end, a byte at a time."""
        try:
            self.wfile.write(b"HTTP/1.1 202 Accepted\r\nX: ")
            while not self.server.released.wait(0.05):
                self.wfile.write(b"x")
        except OSError:
            self.close_connection = True

    def _flood(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"data: " + b"x" * 65536)
        except OSError:
            self.close_connection = True

    def _answer(self, id: object, result: object) -> None:
        self._send(json.dumps({"jsonrpc": "2.0", "id": id, "result": result}).encode())

    def _send(self, body: bytes, status: int = 200, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Mcp-Session-Id", "session-1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class AddressServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behaviour = "good"
        self.received: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.released = Event()


Open = Callable[..., McpClient]


@pytest.fixture
def address() -> Iterator[AddressServer]:
    server = AddressServer()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def connect(address: AddressServer) -> Iterator[Open]:
    opened: list[McpClient] = []

    def open_client(behaviour: str, timeout: float = 20) -> McpClient:
        address.behaviour = behaviour
        table = server_table({"url": f"http://127.0.0.1:{address.server_port}/mcp", "token_env": "T"})
        opened.append(McpClient(open_transport(table, {"T": TOKEN}), timeout))
        return opened[-1]

    yield open_client
    for each in opened:
        each.close()


def never() -> bool:
    return False


def text(result: dict[str, Any]) -> str:
    return str(result["content"][0]["text"])


@pytest.mark.parametrize("behaviour", ["good", "events"])
def test_call_over_http(address: AddressServer, connect: Open, behaviour: str) -> None:
    client = connect(behaviour)
    client.start(never)
    assert text(client.call("look", {"a": 1}, never)) == "here"
    client.close()
    first, *others = address.received
    assert first[0]["Authorization"] == f"Bearer {TOKEN}"
    assert "Mcp-Session-Id" not in first[0]
    assert {headers["Mcp-Session-Id"] for headers, _ in others} == {"session-1"}
    assert {headers["MCP-Protocol-Version"] for headers, _ in others} == {"2025-06-18"}
    assert others[-1][1] == {"method": "DELETE"}
    refused = [message for _, message in others if message.get("id") == "q"]
    assert [message["error"]["code"] for message in refused] == ([-32601] if behaviour == "events" else [])


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        ("refuses", "answered 401 Unauthorized; check token_env"),
        ("redirects", "answered 307 Temporary Redirect; it redirects, so correct the url"),
        ("html", "answered what is no JSON object: <html>Welcome"),
        ("cut", "ended its answer before the result"),
        ("floods", "sent more than 1 MB for one request"),
    ],
)
def test_server_that_cannot_be_used(
    address: AddressServer, connect: Open, monkeypatch: pytest.MonkeyPatch, behaviour: str, why: str
) -> None:
    monkeypatch.setattr("extensions.mcp_client.http_transport.MOST_BYTES", 1 << 20)
    client = connect(behaviour)

    def use() -> None:
        client.start(never)
        client.call("look", {}, never)

    with pytest.raises(ServerFailed) as found:
        use()
    assert str(found.value) == why
    assert len([each for _, each in address.received if each.get("method") == "initialize"]) == 1


def test_address_that_does_not_answer(address: AddressServer, connect: Open) -> None:
    client = connect("hangs", timeout=0.5)
    client.start(never)
    with pytest.raises(ServerTimeout, match=r"did not answer within 0.5 s"):
        client.call("look", {}, never)


def test_user_interrupts_a_call_over_http(address: AddressServer, connect: Open) -> None:
    client = connect("hangs")
    client.start(never)
    end = time.monotonic() + 0.2
    with pytest.raises(Cancelled):
        client.call("look", {}, lambda: time.monotonic() > end)
    end = time.monotonic() + 20
    while address.received[-1][1].get("method") != "notifications/cancelled" and time.monotonic() < end:
        time.sleep(0.02)
    sent = [message for _, message in address.received]
    assert sent[-1]["method"] == "notifications/cancelled"
    assert sent[-1]["params"]["requestId"] == sent[-2]["id"]


def test_user_interrupts_a_message_that_is_answered_without_end(address: AddressServer, connect: Open) -> None:
    client = connect("drips")
    end = time.monotonic() + 0.5
    with pytest.raises(Cancelled):
        client.start(lambda: time.monotonic() > end)


def test_no_one_listens() -> None:
    client = McpClient(open_transport(server_table({"url": "http://127.0.0.1:9/mcp"}), {}), 5)
    with pytest.raises(ServerFailed, match="cannot be reached"):
        client.start(never)


def test_token_that_is_not_set() -> None:
    with pytest.raises(ServerFailed, match="needs the environment variable T, which is not set"):
        open_transport(server_table({"url": "https://x.test/mcp", "token_env": "T"}), {})
