"""Redirecting model servers: neither key nor conversation is sent to a server that the user did not name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.agent.models.conftest import CHAT, CLAUDE, KEY, RESPONSES, Load, get_reply
from tests.endpoint import Answer, Endpoint
from trajectories.errors import ModelError, Refused

NAMES = pytest.mark.parametrize("name", [CHAT, CLAUDE, RESPONSES, "azure/gpt-4o"])


class Redirector:
    """Redirect every request to `target` plus the requested path; answer paths below `/moved` with an error."""

    def __init__(self, status: int, target: str) -> None:
        self.paths = paths = list[str]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                paths.append(self.path)
                body = b'{"error": {"message": "no more"}}' if self.path.startswith("/moved") else b""
                self.send_response(400 if body else status)
                self.send_header("Location", target + self.path)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.openai = f"{self.url}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@pytest.fixture
def start_redirector() -> Iterator[Callable[[int, str], Redirector]]:
    servers: list[Redirector] = []

    def start(status: int, target: str) -> Redirector:
        servers.append(Redirector(status, target))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@NAMES
@pytest.mark.parametrize("status", [301, 307, 308])
def test_redirect_to_another_server_is_refused(load: Load, start_redirector, name: str, status: int) -> None:
    with Endpoint([Answer(text="stolen")] * 3) as other:
        first = start_redirector(status, other.url)
        with pytest.raises(Refused) as raised:
            get_reply(load(first, name))
        assert not other.requests
    assert f"to {other.url}. Nothing was sent there." in raised.value.message
    assert "api_base" in raised.value.fix
    assert not raised.value.billed


ELSEWHERE = ("https://127.0.0.1:1", "http://localhost:1", "//[::1", "http://x:99999999")
NO_HOST = ("http:", "http:///a", "http:/a//b", "HTTP:/a//b", "http:?a=//b", "http:#//", "http://:80/a", "http://@/a")


@pytest.mark.parametrize("target", [*ELSEWHERE, *NO_HOST])
def test_redirect_to_another_scheme_or_host_is_refused(load: Load, start_redirector, target: str) -> None:
    with pytest.raises(Refused, match="redirects requests"):
        get_reply(load(start_redirector(307, target)))


def test_redirect_error_masks_key(load: Load, start_redirector) -> None:
    with pytest.raises(Refused) as raised:
        get_reply(load(start_redirector(307, f"http://me:{KEY}@{KEY}.example:1/{KEY}")))
    assert KEY not in str(raised.value)
    assert KEY.removeprefix("sk-") not in str(raised.value)


def test_redirect_within_server_is_followed(load: Load, start_redirector) -> None:
    first = start_redirector(307, "/moved")
    with pytest.raises(ModelError, match="no more") as raised:
        get_reply(load(first))
    assert not isinstance(raised.value, Refused)
    assert first.paths == ["/v1/chat/completions", "/moved/v1/chat/completions"]
