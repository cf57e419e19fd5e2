"""The server over streamable HTTP, on the loopback interface only, for clients that know its token."""

from __future__ import annotations

import hmac
import os
import secrets
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from typing import Any

from agent.config.environment_variables import PREFIX
from agent.limits.cancellation import CancellationToken, stopped_by_signals
from extensions.mcp_server.protocol_server import LAST_SECONDS, build_server, quiet_logging
from extensions.mcp_server.server_options import ServerOptions
from extensions.mcp_server.tool_calls import ToolCalls
from trajectories.errors import Cancelled, ConfigError, UsageError

HOST, PATH = "127.0.0.1", "/mcp"
TOKEN = f"{PREFIX}MCP_TOKEN"
"""The variable with the token; without it, each server makes its own."""
SHORTEST_TOKEN = 20
MOST_BODY, MOST_SESSIONS, MOST_CONNECTIONS = 4 << 20, 32, 64
"""Maximum numbers of bytes of a request, of sessions, and of connections."""
TICK = 0.1
"""Seconds between looks at whether a signal has come."""

Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class TokenCheck:
    """An ASGI application that answers 401 to each HTTP request without the token, and 403 to everything but HTTP."""

    def __init__(self, app: App, token: str) -> None:
        self._app, self._wanted = app, f"Bearer {token}".encode()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or (scope["type"] == "http" and self._is_allowed(scope)):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            headers = [(b"www-authenticate", b"Bearer"), (b"content-type", b"text/plain"), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 401, "headers": headers})
            await send({"type": "http.response.body", "body": b"The token is missing or wrong.\n"})
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _is_allowed(self, scope: Message) -> bool:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        return len(given) == 1 and hmac.compare_digest(given[0], self._wanted)


def serve_http(options: ServerOptions, port: int) -> int:
    """Serve clients on a port of the loopback interface, 0 for a free one, until a signal; return the exit code.

    Raises UsageError if the port cannot be used, and ConfigError for a token that is too short.
    """
    import anyio

    token = os.environ.get(TOKEN, "") or secrets.token_urlsafe(32)
    if len(token) < SHORTEST_TOKEN or not token.isascii():
        raise ConfigError(f"${TOKEN} has fewer than {SHORTEST_TOKEN} ASCII characters.", "Set a longer one, or none.")
    with _listen(port) as listener:
        address = f"http://{HOST}:{listener.getsockname()[1]}{PATH}"
        shown = "" if os.environ.get(TOKEN) else f"Authorization: Bearer {token}\n"
        sys.stderr.write(f"swe-agent mcp: serving {address}\n{shown}")
        sys.stderr.flush()
        quiet_logging()
        stop = CancellationToken()

        def interrupt() -> bool:
            is_first = not stop.stopped
            stop.set()
            return is_first

        with stopped_by_signals(interrupt):
            anyio.run(_serve, options, listener, token, stop)
    return Cancelled.code


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise UsageError(f"Port {port} cannot be used: {error.strerror}.", "Give another one: --http PORT.") from None
    return listener


async def _serve(options: ServerOptions, listener: socket.socket, token: str, stop: CancellationToken) -> None:
    import anyio
    import uvicorn

    config = uvicorn.Config(
        build_app(options, stop, listener.getsockname()[1], token),
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=LAST_SECONDS,
    )
    server = uvicorn.Server(config)
    server.capture_signals = nullcontext  # it would end the process by the signal, and containers would remain

    async def leave_when_stopped() -> None:
        while not stop.stopped:
            await anyio.sleep(TICK)
        server.handle_exit(signal.SIGTERM, None)

    async with anyio.create_task_group() as group:
        group.start_soon(leave_when_stopped)
        await server.serve(sockets=[listener])
        group.cancel_scope.cancel()


def build_app(options: ServerOptions, stop: CancellationToken, port: int, token: str) -> TokenCheck:
    """Return the ASGI application. Requests must name this server as their host, and come from no other web page."""
    from mcp.server.transport_security import TransportSecuritySettings

    server = build_server(options, ToolCalls(options, stop))
    hosts = [f"{name}:{port}" for name in (HOST, "localhost")]
    security = TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=[f"http://{host}" for host in hosts])
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        host=HOST,
        transport_security=security,
        max_request_body_size=MOST_BODY,
        max_sessions=MOST_SESSIONS,
    )
    return TokenCheck(app, token)
