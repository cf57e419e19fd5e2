"""A minimal image registry on loopback. Docker daemons accept 127.0.0.0/8 without TLS."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class Registry:
    """An image registry. `add(name, files)` publishes an image; `pulled` lists requested image names, in order."""

    def __init__(self) -> None:
        self.pulled: list[str] = []
        self.refuses: tuple[int, str] | None = None
        """A status and an error code to answer every request with."""
        self._responses: dict[str, tuple[str, bytes]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def add(self, name: str, files: dict[str, bytes] | bytes, mark: str = "") -> str:
        """Publish an image and return its pull name. `files` may be a tar; `mark` makes the image unique."""
        archive = files if isinstance(files, bytes) else _tar(files)
        layer = gzip.compress(archive, 1, mtime=0)
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Env": [f"NAME={name}{mark}", f"PATH={_PATH}"]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(archive)]},
            "history": [{"created": "2024-01-01T00:00:00Z", "created_by": name + mark}],
        }
        body = json.dumps(config).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": self._blob(name, "application/vnd.docker.container.image.v1+json", body),
            "layers": [self._blob(name, "application/vnd.docker.image.rootfs.diff.tar.gzip", layer)],
        }
        data = json.dumps(manifest).encode()
        for tag in ("latest", _digest(data)):
            self._responses[f"/v2/{name}/manifests/{tag}"] = (_MANIFEST, data)
        return f"{self.address}/{name}:latest"

    def _blob(self, name: str, media_type: str, data: bytes) -> dict[str, object]:
        digest = _digest(data)
        self._responses[f"/v2/{name}/blobs/{digest}"] = ("application/octet-stream", data)
        return {"mediaType": media_type, "size": len(data), "digest": digest}

    def answer(self, path: str) -> tuple[str, bytes] | None:
        if path.endswith("/manifests/latest"):
            self.pulled.append(path.removeprefix("/v2/").removesuffix("/manifests/latest"))
        return ("application/json", b"{}") if path.rstrip("/") == "/v2" else self._responses.get(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _handler(registry: Registry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, code = registry.refuses or (404, "MANIFEST_UNKNOWN")
            content_type, data = (None if registry.refuses else registry.answer(self.path)) or ("application/json", b"")
            failure = json.dumps({"errors": [{"code": code, "message": code.lower().replace("_", " ")}]}).encode()
            self.send_response(200 if data else status)
            self.send_header("Content-Type", content_type)
            self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
            if data:
                self.send_header("Docker-Content-Digest", _digest(data))
            self.send_header("Content-Length", str(len(data or failure)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data or failure)

        do_HEAD = do_GET  # noqa: N815 - named by BaseHTTPRequestHandler

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    return Handler
