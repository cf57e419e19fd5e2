"""Images in issues: they are fetched from GitHub's own hosts only, and nothing else is requested."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.extensions.github.attacks.attack_repository import AttackTarget, JobResult

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64


class InternalServer:
    """A service in the machine's own network that users must not reach. `requests` records requests to it."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                requests.append((self.path, dict(self.headers)))
                self.send_response(200)
                self.send_header("Content-Type", "image/png")
                self.send_header("Content-Length", str(len(PNG)))
                self.end_headers()
                self.wfile.write(PNG)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def internal() -> Iterator[InternalServer]:
    internal = InternalServer()
    yield internal
    internal.server.shutdown()
    internal.server.server_close()


def gate_issue(target: AttackTarget, body: str) -> JobResult:
    issue = target.issue(body=body)
    return target.gate("issues", target.label_event(issue))


ADDRESSES = [
    "http://127.0.0.1:{port}/x.png",
    "http://localhost:{port}/x.png",
    "http://[::ffff:127.0.0.1]:{port}/x.png",
    "http://2130706433:{port}/x.png",
    "http://0x7f.1:{port}/x.png",
    "//127.0.0.1:{port}/x.png",
    "http://github.com@127.0.0.1:{port}/x.png",
    "http://127.0.0.1:{port}#@github.com/user-attachments/assets/x.png",
    "http://127.0.0.1:{port}/github.com/user-attachments/assets/x.png",
    "http://127.0.0.1:{port}\\@github.com/user-attachments/x.png",
    "http://user-images.githubusercontent.com.localhost:{port}/x.png",
    "http://evilgithubusercontent.localhost:{port}/x.png",
    "file:///etc/passwd",
    "data:image/svg+xml,<svg onload='x'/>",
    "ftp://127.0.0.1:{port}/x.png",
    "{hub}@127.0.0.1:{port}/user-attachments/assets/x.png",
]


@pytest.mark.parametrize("address", ADDRESSES, ids=range(len(ADDRESSES)))
def test_image_url_in_internal_network_is_not_fetched(
    target: AttackTarget, internal: InternalServer, address: str
) -> None:
    """A list of hosts decides; the issue is worked on without the image."""
    url = address.format(port=internal.port, hub=target.hub.url)
    result = gate_issue(target, f"See ![x]({url}) and <img src='{url}'>")
    assert internal.requests == []
    assert result.accepted
    assert target.read_task()["issue"]["images"] == []


def test_redirect_of_image_to_internal_network_is_not_followed(target: AttackTarget, internal: InternalServer) -> None:
    """Every URL of a redirect is checked against the list, and no token is sent along."""
    url = target.hub.picture("/user-attachments/assets/x.png", PNG, "image/png")
    path = url.removeprefix(target.hub.url)
    target.hub.fault(
        "GET",
        f"{path}$",
        status=302,
        raw=b"",
        headers={"Location": f"http://127.0.0.1:{internal.port}/latest/meta-data"},
        times=9,
    )
    result = gate_issue(target, f"See ![x]({url})")
    assert internal.requests == []
    assert result.accepted


def test_redirect_of_api_to_internal_network_gets_no_token(target: AttackTarget, internal: InternalServer) -> None:
    """The token is not sent to another host."""
    location = {"Location": f"http://localhost:{internal.port}/steal"}
    target.hub.fault("GET", r"/issues/1$", status=301, body={"message": "Moved"}, headers=location, times=9)
    result = gate_issue(target, "x")
    assert not any("Authorization" in headers for _, headers in internal.requests)
    assert "Traceback" not in result.log


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        (b"<html>", "image/png"),
        (PNG * 500_000, "image/png"),
    ],
    ids=["svg", "html", "huge"],
)
def test_invalid_or_huge_image_is_left_out(target: AttackTarget, data: bytes, kind: str) -> None:
    """The first bytes and the size are checked; the issue is worked on without the image."""
    url = target.hub.picture("/user-attachments/assets/x.png", data, kind)
    assert gate_issue(target, f"![x]({url})").accepted
    assert target.read_task()["issue"]["images"] == []


def test_number_of_images_is_limited(target: AttackTarget) -> None:
    url = target.hub.picture("/user-attachments/assets/x.png", PNG, "image/png")
    gate_issue(target, "\n".join(f"![x]({url}?{number})" for number in range(1000)))
    assert len([request for request in target.hub.requests if "user-attachments" in request.path]) <= 20
