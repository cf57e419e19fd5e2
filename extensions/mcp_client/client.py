"""A client of one MCP server: the handshake, the list of its tools, and calls of them.

The protocol is that of https://modelcontextprotocol.io in the versions below. This client declares no capability, so a
server has no reason to ask for a model's answer (sampling), for input of the user (elicitation) or for folders (roots);
if it asks, it gets an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING, Any

from aci.observation.untrusted_text import clean_text
from agent.version import __version__
from extensions.mcp_client.messages import Interrupted, Message, ServerFailed, ServerRefused, ServerTimeout, Transport
from trajectories.errors import Cancelled

if TYPE_CHECKING:
    from agent.config.mcp_table import McpServer

VERSION = "2025-11-25"
VERSIONS = frozenset({"2024-11-05", "2025-03-26", "2025-06-18", VERSION})
MOST_PAGES = 20
"""Maximum number of pages of a list of tools."""
NOT_FOUND = -32601


def open_transport(server: McpServer, environment: Mapping[str, str]) -> Transport:
    """Start a server's program, or prepare requests to its address. Raises ServerFailed."""
    if server.command:
        from extensions.mcp_client.stdio_transport import StdioTransport, server_environment

        return StdioTransport(server.command, server_environment(server.env, environment))
    from extensions.mcp_client.http_transport import HttpTransport

    token = environment.get(server.token_env, "") if server.token_env else ""
    if server.token_env and not token:
        raise ServerFailed(f"needs the environment variable {server.token_env}, which is not set")
    return HttpTransport(server.url, token)


class McpClient:
    """A connection to one server. Thread-safe: its requests wait for each other."""

    def __init__(self, transport: Transport, timeout: float) -> None:
        self._transport, self._timeout = transport, timeout
        self._ids = count(1)
        self._lock = Lock()
        self.tools_changed = False
        """Whether the server has announced another list of tools since the last `list_tools`."""

    def start(self, interrupted: Interrupted) -> None:
        """Do the handshake. Raises ServerFailed, ServerTimeout, ServerRefused and Cancelled."""
        about = {"name": "swe-agent", "version": __version__}
        given = {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": about}
        answer = self._request("initialize", given, interrupted)
        version = answer.get("protocolVersion")
        if not isinstance(version, str) or version not in VERSIONS:
            raise ServerFailed(f"speaks version {str(version)[:40]!r} of the protocol, which is not supported")
        self._transport.send({"jsonrpc": "2.0", "method": "notifications/initialized"}, interrupted)

    def list_tools(self, interrupted: Interrupted) -> list[Message]:
        """Return what the server says of its tools; entries that are no objects are left out. Raises as `start`."""
        self.tools_changed = False
        found: list[Message] = []
        cursor: dict[str, Any] = {}
        for _ in range(MOST_PAGES):
            answer = self._request("tools/list", cursor, interrupted)
            tools = answer.get("tools")
            found += [tool for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
            if not isinstance(following := answer.get("nextCursor"), str) or not following:
                break
            cursor = {"cursor": following}
        return found

    def call(self, tool: str, arguments: dict[str, Any], interrupted: Interrupted) -> Message:
        """Call a tool and return the result of the server. Raises as `start`."""
        return self._request("tools/call", {"name": tool, "arguments": arguments}, interrupted)

    def close(self) -> None:
        self._transport.close()

    def _request(self, method: str, params: dict[str, Any], interrupted: Interrupted) -> Message:
        with self._lock:
            return self._exchange(next(self._ids), method, params, interrupted)

    def _exchange(self, id: int, method: str, params: dict[str, Any], interrupted: Interrupted) -> Message:
        request = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
        try:
            for message in self._transport.exchange(request, self._timeout, interrupted):
                if "method" in message:
                    self._handle_server_message(message, interrupted)
                elif message.get("id") == id:
                    return _result(message)
        except (Cancelled, ServerTimeout):
            given = {"requestId": id, "reason": "The client does not wait any longer."}
            with suppress(ServerFailed, Cancelled):
                cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": given}
                self._transport.send(cancelled, lambda: True)
            raise
        raise ServerFailed("ended its answer before the result")

    def _handle_server_message(self, message: Message, interrupted: Interrupted) -> None:
        """Answer a request of the server, or note what it announces."""
        if "id" not in message:
            self.tools_changed |= message["method"] == "notifications/tools/list_changed"
            return
        error = {"code": NOT_FOUND, "message": "This client does not offer that."}
        answer: Message = {"result": {}} if message["method"] == "ping" else {"error": error}
        self._transport.send({"jsonrpc": "2.0", "id": message["id"]} | answer, interrupted)


def _result(message: Message) -> Message:
    """Return the result of an answer. Raises ServerRefused."""
    if isinstance(result := message.get("result"), dict):
        return result
    error = message.get("error")
    text = error.get("message") if isinstance(error, dict) else None
    raise ServerRefused(f"answered with an error: {clean_text(str(text or 'it gave no reason')[:1_000])}")
