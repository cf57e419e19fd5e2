"""The HTTP server on a free port of loopback: the API under /api, git under OWNER/NAME.git, and plain files."""

from __future__ import annotations

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from tests.github_server import access, gitserver, graphql
from tests.github_server.request import Answer, Request

if TYPE_CHECKING:
    from tests.github_server.hub import Hub

ROOT = "/api/v3"


class Server:
    def __init__(self, hub: Hub) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.hub = hub
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.002,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    hub: Hub


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        hub, parts = self.server.hub, urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        data = self._data()
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        request = Request(self.command, parts.path, query, headers, data, token=access.token_of(headers))
        if parts.path == graphql.PATH:
            answer = graphql.answer(hub, request)
        elif parts.path.startswith(ROOT + "/"):
            request.path = parts.path.removeprefix(ROOT)
            with contextlib.suppress(ValueError):
                request.body = json.loads(data) if data else None
            answer = hub.answer(request)
        elif gitserver.is_git(parts.path):
            answer = gitserver.answer(hub, request, parts.query)
        else:
            answer = self._file(hub, request)
        # A client that was killed or disconnected is not an error of the server.
        with contextlib.suppress(ConnectionError):
            self._send(answer)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_GET  # noqa: N815

    def _file(self, hub: Hub, request: Request) -> Answer:
        hub.requests.append(request)
        kind, data = hub.pictures.get(request.path, ("text/plain", b""))
        request.status = 200 if request.path in hub.pictures else 404
        return Answer(
            request.status, raw=data, headers={"Content-Type": kind, **hub.file_headers.get(request.path, {})}
        )

    def _data(self) -> bytes:
        """Read the body. git sends long ones in chunks."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _send(self, answer: Answer) -> None:
        data = answer.data
        self.send_response(answer.status)
        # One request per connection: no client keeps a socket open after its test.
        for name, value in {**answer.headers, "Connection": "close"}.items():
            self.send_header(name, value)
        if answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD" and answer.status not in (204, 304):
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: tests read `requests`."""
