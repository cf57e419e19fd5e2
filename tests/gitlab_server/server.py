"""The HTTP server on a free port of loopback: the API under /api/v4, and git under PROJECT.git."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from tests.github_server.gitserver import _backend
from tests.github_server.request import Answer, Request

if TYPE_CHECKING:
    from tests.gitlab_server.state import GitLab

API = "/api/v4"
GIT = re.compile(r"/(?P<path>\S+?)\.git/(?P<what>info/refs|git-upload-pack|git-receive-pack)")


class Server:
    def __init__(self, gitlab: GitLab) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.gitlab = gitlab
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.002,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    gitlab: GitLab


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        from tests.gitlab_server.routes import answer

        gitlab, parts = self.server.gitlab, urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        data, query = self._data(), dict(parse_qsl(parts.query, keep_blank_values=True))
        path = parts.path.removeprefix(gitlab.root) if parts.path.startswith(f"{gitlab.root}/") else ""
        lists = parse_qs(parts.query, keep_blank_values=True)
        request = Request(self.command, path, query, headers, data, token=_token(headers), lists=lists)
        gitlab.requests.append(request)
        if path.startswith(f"{API}/"):
            request.path = path.removeprefix(API)
            with contextlib.suppress(ValueError):
                request.body = json.loads(data) if data else None
            with gitlab.lock:
                sent = answer(gitlab, request)
        elif match := GIT.fullmatch(path):
            sent = _git(gitlab, request, match, parts.query)
        else:
            sent = Answer(404, raw=b"404")
        request.status = sent.status
        with contextlib.suppress(ConnectionError):  # of a client that was killed
            self._send(sent)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_GET  # noqa: N815

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
        for name, value in {"Content-Type": "application/json", **answer.headers, "Connection": "close"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: tests read `requests`."""


def _token(headers: dict[str, str]) -> str:
    """Return the token of a request: of the API, or the password that git sends."""
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "basic":
        return base64.b64decode(value).decode().partition(":")[2]
    return value or headers.get("private-token", "")


def _git(gitlab: GitLab, request: Request, match: re.Match[str], query: str) -> Answer:
    project, _ = gitlab.find(match["path"])
    user = gitlab.tokens.get(request.token, "")
    is_push = "git-receive-pack" in (match["what"], request.query.get("service", ""))
    if (request.token and not user) or (is_push and not user):
        return _denied(401, "HTTP Basic: Access denied.")
    if project is None or (project.private and not project.members.get(user)):
        message = "The project you were looking for could not be found or you don't have permission to view it."
        return _denied(404, message) if user else _denied(401, "HTTP Basic: Access denied.")
    if is_push and not project.may_push(user):
        return _denied(403, "You are not allowed to push code to this project.")
    return _backend(request, project, match["what"], query)  # type: ignore[arg-type]


def _denied(status: int, message: str) -> Answer:
    ask = {"WWW-Authenticate": 'Basic realm="GitLab"'} if status == 401 else {}
    return Answer(status, raw=f"{message}\n".encode(), headers={"Content-Type": "text/plain; charset=utf-8", **ask})
