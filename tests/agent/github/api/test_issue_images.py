"""Pictures come from GitHub's own hosts, and a token goes to none but the issue's."""

from __future__ import annotations

import contextlib
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from agent.github.api.github_urls import Address
from agent.github.api.issue_images import _allowed, _may_have_token, fetch_images
from agent.instances.issue_input import MOST_PICTURES

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 50
SHOT = f"data:image/png;base64,{b64encode(PNG).decode()}"


class Server(HTTPServer):
    """Says what stands at a path: bytes, or where to go on."""

    def __init__(self) -> None:
        self.files: dict[str, bytes | str] = {}
        self.asked: list[tuple[str, str | None]] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        found = self.server.files.get(self.path)
        self.send_response(404 if found is None else 302 if isinstance(found, str) else 200)
        if isinstance(found, str):
            self.send_header("Location", found)
        data = found if isinstance(found, bytes) else b""
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        monkeypatch.setenv("GITHUB_SERVER_URL", server.url)
        monkeypatch.setenv("GITHUB_TOKEN", "t1")
        yield server
        server.shutdown()
        thread.join()


def shots(server: Server, *paths: str) -> tuple[str, ...]:
    return fetch_images([f"![shot]({server.url}{path})" for path in paths], Address(server.url, "octo/calc"))


def test_what_users_attached_is_fetched_once_each(server: Server) -> None:
    server.files = {"/user-attachments/assets/1": PNG, "/octo/calc/raw/main/a.gif": b"GIF89a"}
    text = f'![a]({server.url}/user-attachments/assets/1) <img src="{server.url}/octo/calc/raw/main/a.gif">'
    assert fetch_images([text, text], Address(server.url, "octo/calc")) == (SHOT, "data:image/gif;base64,R0lGODlh")
    assert [asked for _, asked in server.asked] == ["token t1", "token t1"]


def test_it_is_followed_to_githubs_own_hosts_only(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server() as other:
        server.files = {
            "/user-attachments/assets/1": "/user-attachments/assets/2",
            "/user-attachments/assets/2": PNG,
            "/user-attachments/assets/3": f"{other.url}/user-attachments/assets/3",
            "/user-attachments/assets/4": "/user-attachments/assets/4",
            "/user-attachments/assets/5": "/settings/secret.png",
            "/settings/secret.png": PNG,
            "/user-attachments/assets/6": "http://[",
        }
        assert shots(server, *[f"/user-attachments/assets/{n}" for n in (3, 4, 5, 6, 7, 1)]) == (SHOT,)
        assert other.asked == []
    assert ("/settings/secret.png", "token t1") not in server.asked


def test_what_is_no_picture_or_too_much_is_left_out(server: Server) -> None:
    server.files = {
        "/user-attachments/assets/1": b"<html>",
        "/user-attachments/assets/2": PNG + b"0" * MOST_PICTURES,
        "/user-attachments/assets/3": b"RIFF1234WAVE",
        "/user-attachments/assets/4": b"<svg/>",
        "/user-attachments/assets/5": PNG,
    }
    assert shots(server, *[f"/user-attachments/assets/{n}" for n in range(1, 6)]) == (SHOT,)


ASSET = "/user-attachments/assets/1"


@pytest.mark.parametrize(
    ("url", "allowed", "with_token"),
    [
        (f"https://github.com{ASSET}", True, True),
        ("https://github.com/octo/calc/assets/1/2", True, True),
        ("https://raw.githubusercontent.com/octo/calc/main/a.png", True, False),
        ("https://private-user-images.githubusercontent.com/1/2.png?jwt=3", True, False),
        ("https://user-images.githubusercontent.com/1/2.png", True, False),
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
    ids=range(26),
)
def test_where_picture_may_come_from(
    url: str, allowed: bool, with_token: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_SERVER_URL", raising=False)
    monkeypatch.setenv("GITHUB_TOKEN", "t1")
    address = Address("https://github.com", "octo/calc", 7)
    assert (_allowed(url, address), _may_have_token(url, address)) == (allowed, with_token)


def test_enterprises_attachments_get_no_token_of_publics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://git.corp")
    monkeypatch.setenv("GITHUB_TOKEN", "t1")
    address = Address("https://git.corp", "octo/calc", 7)
    assert _may_have_token(f"https://git.corp{ASSET}", address)
    assert _allowed(f"https://github.com{ASSET}", address)
    assert not _may_have_token(f"https://github.com{ASSET}", address)
