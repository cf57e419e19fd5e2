"""The token of the server over HTTP, and its port; without the SDK."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from extensions.mcp_server.http_server import TOKEN, TokenCheck, _listen, serve_http
from extensions.mcp_server.server_options import ServerOptions
from trajectories.errors import ConfigError, UsageError

SECRET = "a-token-of-more-than-twenty-characters"


def status_for(*headers: tuple[bytes, bytes], kind: str = "http") -> int | str:
    """Return the status that a request gets; "passed" if it reaches the application."""
    sent: list[Any] = []
    passed = False

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal passed
        passed = True

    async def send(message: Any) -> None:
        sent.append(message)

    check = TokenCheck(app, SECRET)
    asyncio.run(check({"type": kind, "headers": list(headers)}, None, send))  # type: ignore[arg-type]
    return "passed" if passed else sent[0].get("status", sent[0]["type"])


def bearer(token: str) -> tuple[bytes, bytes]:
    return b"authorization", f"Bearer {token}".encode()


def test_only_the_token_is_let_in() -> None:
    assert status_for(bearer(SECRET)) == "passed"
    assert status_for() == 401
    assert status_for(bearer("")) == status_for(bearer(SECRET[:-1])) == status_for(bearer(SECRET + "x")) == 401
    assert status_for((b"authorization", SECRET.encode())) == 401
    assert status_for((b"authorization", b"Bearer \xff\xfe")) == 401
    assert status_for(bearer(SECRET), bearer("other")) == 401
    assert status_for((b"cookie", SECRET.encode())) == 401


def test_web_sockets_are_refused() -> None:
    assert status_for(bearer(SECRET), kind="websocket") == "websocket.close"
    assert status_for(kind="lifespan") == "passed"


def test_port_is_on_the_loopback_interface_only() -> None:
    with _listen(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            with pytest.raises(UsageError, match="cannot be used"):
                _listen(taken.getsockname()[1])


@pytest.mark.parametrize("token", ["short", "ä" * 30])
def test_weak_token_is_refused(server: ServerOptions, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv(TOKEN, token)
    with pytest.raises(ConfigError, match="fewer than 20 ASCII characters"):
        serve_http(server, 0)
