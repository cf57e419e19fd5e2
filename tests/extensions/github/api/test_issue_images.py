"""Images of an issue: allowed hosts, redirects and the token."""

from __future__ import annotations

import contextlib
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from aci.issue_text.image_links import MOST_PICTURES
from agent.inputs.github_urls import Address
from extensions.github.api.issue_images import _allowed, _may_have_token, fetch_images

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 50
SHOT = f"data:image/png;base64,{b64encode(PNG).decode()}"


class ImageServer(HTTPServer):
    """Serves `files`: the bytes at a path, or the URL that it redirects to."""

    def __init__(self) -> None:
        self.files: dict[str, bytes | str] = {}
        self.received: list[tuple[str, str | None]] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: ImageServer

    def do_GET(self) -> None:
        self.server.received.append((self.path, self.headers.get("Authorization")))
        file = self.server.files.get(self.path)
        self.send_response(404 if file is None else 302 if isinstance(file, str) else 200)
        if isinstance(file, str):
            self.send_header("Location", file)
        data = file if isinstance(file, bytes) else b""
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ImageServer]:
    with ImageServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        monkeypatch.setenv("GITHUB_SERVER_URL", server.url)
        monkeypatch.setenv("GITHUB_TOKEN", "t1")
        yield server
        server.shutdown()
        thread.join()


def fetch(server: ImageServer, *paths: str) -> tuple[str, ...]:
    return fetch_images([f"![shot]({server.url}{path})" for path in paths], Address(server.url, "octo/calc"))


def test_attached_images_are_fetched_once_each(server: ImageServer) -> None:
    server.files = {"/user-attachments/assets/1": PNG, "/octo/calc/raw/main/a.gif": b"GIF89a"}
    text = f'![a]({server.url}/user-attachments/assets/1) <img src="{server.url}/octo/calc/raw/main/a.gif">'
    assert fetch_images([text, text], Address(server.url, "octo/calc")) == (SHOT, "data:image/gif;base64,R0lGODlh")
    assert [token for _, token in server.received] == ["token t1", "token t1"]


def test_redirects_are_followed_to_githubs_hosts_only(server: ImageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with ImageServer() as other:
        server.files = {
            "/user-attachments/assets/1": "/user-attachments/assets/2",
            "/user-attachments/assets/2": PNG,
            "/user-attachments/assets/3": f"{other.url}/user-attachments/assets/3",
            "/user-attachments/assets/4": "/user-attachments/assets/4",
            "/user-attachments/assets/5": "/settings/secret.png",
            "/settings/secret.png": PNG,
            "/user-attachments/assets/6": "http://[",
        }
        assert fetch(server, *[f"/user-attachments/assets/{n}" for n in (3, 4, 5, 6, 7, 1)]) == (SHOT,)
        assert other.received == []
    assert ("/settings/secret.png", "token t1") not in server.received


def test_invalid_and_oversized_images_are_left_out(server: ImageServer) -> None:
    server.files = {
        "/user-attachments/assets/1": b"<html>",
        "/user-attachments/assets/2": PNG + b"0" * MOST_PICTURES,
        "/user-attachments/assets/3": b"RIFF1234WAVE",
        "/user-attachments/assets/4": b"<svg/>",
        "/user-attachments/assets/5": PNG,
    }
    assert fetch(server, *[f"/user-attachments/assets/{n}" for n in range(1, 6)]) == (SHOT,)


ASSET = "/user-attachments/assets/1"


@pytest.mark.parametrize(
    ("url", "allowed", "with_token"),
    [
        (f"https://github.com{ASSET}", True, True),
        ("https://github.com/octo/calc/assets/1/2", True, True),
        ("https://raw.githubusercontent.com/octo/calc/main/a.png", True, False),
        ("https://private-user-images.githubusercontent.com/1/2.png?jwt=3", True, False),
        ("https://user-images.githubusercontent.com/1/2.png", True, False),
        ("https://cloud.githubusercontent.com/assets/1/2.png", True, False),
        ("https://raw.githubusercontent.com/mallory/x/main/a.png", False, False),
        ("https://raw.githubusercontent.com/octo/calc/refs/pull/5/head/a.png", False, False),
        ("https://github.com/octo/calc/raw/refs/%70ull/5/head/a.png", False, False),
        ("https://gist.githubusercontent.com/mallory/1/raw/a.png", False, False),
        (f"http://github.com{ASSET}", False, False),
        (f"https://github.com:8443{ASSET}", False, False),
        (f"https://ada:t1@github.com{ASSET}", False, False),
        (f"https://github.com.evil.example{ASSET}", False, False),
        (f"https://evil.example\\@github.com{ASSET}", False, False),
        ("https://evilgithubusercontent.com/a.png", False, False),
        ("https://githubusercontent.com.evil.example/a.png", False, False),
        ("https://github.com/octo/other/raw/main/a.png", False, False),
        ("https://github.com/user-attachments/assets/../../logout", False, False),
        ("https://github.com/user-attachments/assets/%2e%2e/%2e%2e/logout", False, False),
        ("https://github.com/logout", False, False),
        ("https://camo.evil.example/a.png", False, False),
        ("http://169.254.169.254/latest", False, False),
        ("data:image/png;base64,AAAA", False, False),
        ("file:///etc/passwd", False, False),
        ("a.png", False, False),
        ("https://[", False, False),
    ],
    ids=range(27),
)
def test_only_githubs_hosts_serve_images_and_receive_token(
    url: str, allowed: bool, with_token: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_SERVER_URL", raising=False)
    monkeypatch.setenv("GITHUB_TOKEN", "t1")
    address = Address("https://github.com", "octo/calc", 7)
    assert (_allowed(url, address), _may_have_token(url, address)) == (allowed, with_token)


def test_enterprise_token_is_not_sent_to_github_com(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://git.corp")
    monkeypatch.setenv("GITHUB_TOKEN", "t1")
    address = Address("https://git.corp", "octo/calc", 7)
    assert _may_have_token(f"https://git.corp{ASSET}", address)
    assert _allowed(f"https://github.com{ASSET}", address)
    assert not _may_have_token(f"https://github.com{ASSET}", address)
