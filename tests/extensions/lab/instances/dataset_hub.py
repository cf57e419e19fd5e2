"""A stand-in of the Hugging Face hub on loopback: a file at one revision, whose content another host serves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from extensions.lab.instances.named_datasets import NamedDataset


@dataclass
class DatasetHub:
    """What the hub holds and how it answers."""

    dataset: NamedDataset
    content: bytes
    """What is served; the stated digest is that of `original`."""

    original: bytes
    token: str = ""
    """The token that a gated data set needs."""

    commit: str = ""
    """The revision that the hub states, if it is another one."""

    is_large: bool = True
    """Whether the hub states a SHA-256, as for files in LFS."""

    down: bool = False
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    """Host (hub or content), method and token of each request."""

    endpoint: str = ""
    content_endpoint: str = ""

    def tokens(self) -> set[str]:
        return {token for _, _, token in self.requests}

    def answer(self, handler: BaseHTTPRequestHandler, host: str) -> None:
        token = handler.headers.get("Authorization", "").removeprefix("Bearer ")
        self.requests.append((host, handler.command, token))
        if self.down:
            return self._end(handler, 503, {})
        if host == "content":
            return self._end(handler, 200, {"ETag": '"of-the-store"'}, self.content)
        known = f"/datasets/{self.dataset.repository}/resolve/{self.dataset.revision}/{self.dataset.path}"
        if handler.path != known:
            return self._end(handler, 404, {"X-Error-Code": "EntryNotFound"})
        if self.token and token != self.token:
            return self._end(handler, 403 if token else 401, {"X-Error-Code": "GatedRepo"})
        digest = hashlib.sha256(self.original).hexdigest() if self.is_large else hashlib.sha1(self.original).hexdigest()
        headers = {
            "Location": f"{self.content_endpoint}/object",
            "X-Repo-Commit": self.commit or self.dataset.revision,
            "X-Linked-Etag": f'"{digest}"',
            "X-Linked-Size": str(len(self.original)),
            "ETag": '"of-the-answer"',
        }
        return self._end(handler, 302, headers)

    def _end(self, handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(body)


@contextmanager
def serve_dataset(hub: DatasetHub) -> Iterator[DatasetHub]:
    """Serve the hub and its content at two addresses."""
    with ExitStack() as stack:
        hub.endpoint = stack.enter_context(_listening(hub, "hub"))
        hub.content_endpoint = stack.enter_context(_listening(hub, "content")).replace("127.0.0.1", "localhost")
        yield hub


@contextmanager
def _listening(hub: DatasetHub, host: str) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hub.answer(self, host)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
