"""What works if an image cannot be pulled."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from docker import DockerClient

from aci.docker.base_image import alternatives, source_image
from aci.docker.docker_daemon import OTHER_WORKSPACE, Daemon
from agent.limits.cancellation import CancellationToken
from trajectories.errors import WorkspaceError


def daemon_with(*tags: list[str] | None) -> Any:
    """Return a daemon with images of these tags."""
    api = SimpleNamespace(images=lambda: [{"RepoTags": each} for each in tags])
    return SimpleNamespace(client=SimpleNamespace(api=api))


def test_present_images_of_the_same_name_come_first() -> None:
    daemon = daemon_with(["debian:12"], ["my/python:old", "my/python:latest"], None, ["a:1"], ["b:1"])
    fix = alternatives(daemon, "registry.example/python:3.14")
    images = "--image my/python:latest (or a:1, b:1), which is present, if it has what the tests need; "
    assert fix.startswith(f"Without a registry: {images}--workspace ")
    assert OTHER_WORKSPACE in fix


def test_images_of_runs_are_not_proposed() -> None:
    daemon = daemon_with(["swe-agent-base/0a1b:latest"], ["swe-agent-environment/0a1b:latest"], ["<none>:<none>"])
    assert alternatives(daemon, "python:3.14").startswith("Without a registry: --workspace ")


class FailingDaemon(BaseHTTPRequestHandler):
    """A daemon that has no images, cannot pull any, and cannot list them."""

    def do_GET(self) -> None:
        absent = "absent" in self.path
        self._fail(404 if absent else 500, "No such image" if absent else "the list of images is damaged")

    def do_POST(self) -> None:
        self._fail(500, "lookup registry.example: no such host")

    def _fail(self, code: int, message: str) -> None:
        body = json.dumps({"message": message}).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_failing_daemon_does_not_hide_why_the_image_cannot_be_pulled() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), FailingDaemon)
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"tcp://127.0.0.1:{server.server_port}"
    client = DockerClient(base_url=address, version="1.41")
    options: Any = SimpleNamespace(image="absent:1", say=lambda text: None, cancel=CancellationToken())
    try:
        with pytest.raises(WorkspaceError) as caught:
            source_image(Daemon(client, address), options)
    finally:
        client.close()
        server.shutdown()
        server.server_close()
    assert caught.value.message.endswith(
        "absent:1 does not exist locally and cannot be pulled: lookup registry.example: no such host."
    )
    assert caught.value.fix.startswith("Without a registry: --workspace ")
