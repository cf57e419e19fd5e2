"""The MCP servers of one run: started before the first request that can use them, and ended with the run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from aci.observation.secret_masking import change_texts, mask_secrets
from aci.observation.untrusted_text import one_line
from agent.config.remembered_answers import has_answer, is_remembered, remember
from extensions.mcp_client.client import McpClient, open_transport
from extensions.mcp_client.messages import ServerFailed, ServerRefused, ServerTimeout
from extensions.mcp_client.server_tool import make_tool
from extensions.mcp_client.tool_schema import UnusableSchema
from trajectories.errors import Cancelled, UsageError
from trajectories.outside_calls import MCP_NOTE
from trajectories.records import Note

if TYPE_CHECKING:
    from agent.config.mcp_table import McpServer
    from agent.limits.cancellation import CancellationToken
    from tools.base import Tool, Toolbox
    from trajectories.journal import Journal

MOST_TOOLS = 64
"""Maximum number of tools of one server."""
MOST_STARTS = 4
"""Maximum number of servers that start at the same time."""
FAILURES = (ServerFailed, ServerRefused, ServerTimeout)


class RunServers:
    """The servers in `table`, whose tools are added to `toolbox`. Thread-safe.

    A server that fails is reported in one line and not used again in this process; the run continues. `say` shows a
    line to the user. Descriptions of tools are masked by `secrets`, because they are recorded and sent to a model.
    """

    def __init__(
        self,
        table: Mapping[str, McpServer],
        toolbox: Toolbox,
        journal: Journal,
        state: Path,
        cancel: CancellationToken,
        say: Callable[[str], object],
        secrets: Callable[[], tuple[str, ...]],
    ) -> None:
        self._table, self._toolbox, self._journal = table, toolbox, journal
        self._state, self._cancel = state, cancel
        self._say: Callable[[str], object] = lambda text: say(self._mask(text))
        self._mask: Callable[[str], str] = lambda text: mask_secrets(text, secrets())
        self._clients: dict[str, McpClient] = {}
        self._tools: dict[str, list[Tool]] = {}
        self._failed: set[str] = set()
        self._lock = Lock()

    def schemas(self) -> tuple[dict[str, Any], ...]:
        """Return the schemas of the servers' tools, and record them if they are new. Raises Cancelled."""
        with self._lock:
            if missing := [name for name in self._table if name not in self._clients and name not in self._failed]:
                with ThreadPoolExecutor(MOST_STARTS, "mcp") as pool:
                    list(pool.map(self._start, missing))
                self._cancel.check()
            for name, client in list(self._clients.items()):
                if client.tools_changed:
                    self._say(
                        f"The MCP server {name} announced other tools. Those that changed need your consent again."
                    )
                if client.tools_changed or name not in self._tools:
                    self._list(name, client)
            found = tuple(tool.schema for tools in self._tools.values() for tool in tools)
            self._record(found)
            return found

    def close(self) -> None:
        """End all servers."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    def _start(self, name: str) -> None:
        """Start a server. If the user interrupts, it is started again at the next request."""
        server = self._table[name]
        client: McpClient | None = None
        try:
            client = McpClient(open_transport(server, os.environ), server.timeout)
            client.start(self._cancel.is_set)
        except FAILURES as error:
            self._give_up(name, error, client)
        except Cancelled:
            if client is not None:
                client.close()
        except Exception as error:  # noqa: BLE001 - a server must not end the turn
            self._give_up(name, _unusable(error), client)
        else:
            self._clients[name] = client

    def _list(self, name: str, client: McpClient) -> None:
        """Ask a server for its tools and add them to the toolbox, in place of those that it had. Raises Cancelled."""
        for tool in self._tools.pop(name, []):
            del self._toolbox.outside[tool.name]
        try:
            said = change_texts(client.list_tools(self._cancel.is_set), self._mask)
        except FAILURES as error:
            self._give_up(name, error, client)
            return
        except Cancelled:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            self._give_up(name, _unusable(error), client)
            return
        left_out = [f"{len(said) - MOST_TOOLS} after the first {MOST_TOOLS}"] if len(said) > MOST_TOOLS else []
        self._tools[name] = []
        for each in said[:MOST_TOOLS]:
            try:
                self._add(name, each)
            except UnusableSchema as error:
                left_out.append(f"{one_line(str(each.get('name') or 'one'))[:60]} ({error})")
        if left_out:
            shown = "; ".join(left_out[:3]) + (f"; {len(left_out) - 3} more" if len(left_out) > 3 else "")
            self._say(f"Tools of the MCP server {name} that are not offered: {shown}.")

    def _add(self, name: str, said: dict[str, Any]) -> None:
        """Add a tool that a server describes. Raises UnusableSchema."""
        server, title = self._table[name], said.get("name")
        if not isinstance(title, str) or not title:
            raise UnusableSchema("it has no name")
        tool = make_tool(
            name,
            json.dumps([*server.command, server.url]),
            said,
            lambda title, arguments: self._call(name, title, arguments),
            lambda pin: self._is_pinned(name, title, pin) if title in server.allow else None,
        )
        if tool.name in self._toolbox.outside or tool.name in self._toolbox.tools:
            raise UnusableSchema(f"another tool is named {tool.name}")
        self._toolbox.outside[tool.name] = tool
        self._tools[name].append(tool)

    def _is_pinned(self, name: str, title: str, pin: str) -> bool:
        """Return whether a tool that the config allows is as it was when it was first used; the first use pins it."""
        if not has_answer(self._state, "mcp-tool", name, title):
            remember(self._state, "mcp-tool", name, title, pin)
            return True
        return is_remembered(self._state, "mcp-tool", name, title, pin)

    def _call(self, name: str, title: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Call a tool. Raises UsageError if the server is gone, its failures, and Cancelled."""
        client = self._clients.get(name)
        if client is None:
            raise UsageError(f"The MCP server {name} is not connected any more.", "Work without it.")
        try:
            return client.call(title, arguments, self._cancel.is_set)
        except ServerFailed as error:
            with self._lock:
                self._give_up(name, error, client)
            raise

    def _give_up(self, name: str, error: Exception, client: McpClient | None) -> None:
        """End a server that failed. Its tools stay known, so that a call of one says why it is not run."""
        if name in self._failed:
            return
        self._failed.add(name)
        self._clients.pop(name, None)
        self._tools.pop(name, None)
        if client is not None:
            client.close()
        self._say(f"The MCP server {name} {one_line(str(error))}. The session continues without its tools.")

    def _record(self, schemas: tuple[dict[str, Any], ...]) -> None:
        """Record which tools the model is offered, unless the last record says the same."""
        notes = [note for note in self._journal.trajectory.notes if note.kind == MCP_NOTE]
        known = notes[-1].data.get("tools", []) if notes else []
        if list(schemas) != known:
            names = ", ".join(schema["function"]["name"] for schema in schemas) or "none"
            self._journal.append(Note("main", MCP_NOTE, f"Tools of MCP servers: {names}", {"tools": list(schemas)}))


def _unusable(error: Exception) -> ServerFailed:
    return ServerFailed(f"sent what cannot be used ({type(error).__name__})")
