"""Pictures are fetched from GitHub's own hosts, without the token, and nothing else is asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.agent.github.attacks.attack_repository import Done, Place

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64


class Inside:
    """A service on the machine's own network that no stranger may reach; `asked` are what came to it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append((self.path, dict(self.headers)))
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
def inside() -> Iterator[Inside]:
    inside = Inside()
    yield inside
    inside.server.shutdown()
    inside.server.server_close()


def asked(place: Place, body: str) -> Done:
    issue = place.approved(body=body)
    return place.gate("issues", place.labelled(issue))


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
def test_picture_inside_network(place: Place, inside: Inside, address: str) -> None:
    """Stopped by the list of hosts; the issue goes on without the picture."""
    url = address.format(port=inside.port, hub=place.hub.url)
    done = asked(place, f"See ![x]({url}) and <img src='{url}'>")
    assert inside.asked == []
    assert done.went
    assert place.read_errand()["issue"]["images"] == []


def test_picture_that_sends_on_elsewhere(place: Place, inside: Inside) -> None:
    """Stopped at the redirect: each address on the way is held against the list, and no token goes along."""
    url = place.hub.picture("/user-attachments/assets/x.png", PNG, "image/png")
    path = url.removeprefix(place.hub.url)
    place.hub.fault(
        "GET",
        f"{path}$",
        status=302,
        raw=b"",
        headers={"Location": f"http://127.0.0.1:{inside.port}/latest/meta-data"},
        times=9,
    )
    done = asked(place, f"See ![x]({url})")
    assert inside.asked == []
    assert done.went


def test_api_that_sends_on_elsewhere(place: Place, inside: Inside) -> None:
    """Stopped by not taking the token to another host."""
    location = {"Location": f"http://localhost:{inside.port}/steal"}
    place.hub.fault("GET", r"/issues/1$", status=301, body={"message": "Moved"}, headers=location, times=9)
    done = asked(place, "x")
    assert not any("Authorization" in headers for _, headers in inside.asked)
    assert "Traceback" not in done.said


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        (b"<html>", "image/png"),
        (PNG * 500_000, "image/png"),
    ],
    ids=["svg", "html", "huge"],
)
def test_picture_that_is_none(place: Place, data: bytes, kind: str) -> None:
    """Stopped by its first bytes and by a cap; the issue goes on without it."""
    url = place.hub.picture("/user-attachments/assets/x.png", data, kind)
    assert asked(place, f"![x]({url})").went
    assert place.read_errand()["issue"]["images"] == []


def test_thousand_pictures(place: Place) -> None:
    """Stopped by a cap on how many are fetched."""
    url = place.hub.picture("/user-attachments/assets/x.png", PNG, "image/png")
    asked(place, "\n".join(f"![x]({url}?{number})" for number in range(1000)))
    assert len([one for one in place.hub.requests if "user-attachments" in one.path]) <= 20
