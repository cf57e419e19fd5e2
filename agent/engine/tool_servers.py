"""The MCP servers of the settings, whose tools a run offers in addition to its own.

An extension provides them as a subclass of ToolServers, by the plug-in kind `agent.engine.tool_servers`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from trajectories.plugins import extension_module, installed_module

if TYPE_CHECKING:
    from agent.config.settings import Settings
    from agent.limits.cancellation import CancellationToken
    from tools.base import Toolbox
    from trajectories.journal import Journal

KIND = "agent.engine.tool_servers"


class ServedRun(Protocol):
    """The parts of an engine that its servers depend on."""

    settings: Settings
    toolbox: Toolbox
    journal: Journal
    cancel: CancellationToken

    @property
    def secrets(self) -> tuple[str, ...]: ...

    def report(self, kind: str, branch: str, text: str) -> None: ...


class ToolServers:
    """The servers of a run; this one starts none."""

    def __init__(self, engine: ServedRun) -> None:
        self.can_ask = False
        """Whether the front end asks its user."""
        self._engine = engine

    def schemas(self) -> tuple[dict[str, Any], ...]:
        """Return the schemas of the servers' tools. Raises Cancelled, and what `check_servers` raises."""
        check_servers(self._engine.settings)
        return ()

    def prepare(self, tool: str) -> None:
        """Start the servers if a recorded reply calls one of their tools. Raises Cancelled."""

    def close(self) -> None:
        """End the servers."""


def tool_servers(engine: ServedRun) -> ToolServers:
    """Return the servers of an engine, of the extension if it is installed."""
    module = installed_module(KIND)
    servers: ToolServers = module.EngineServers(engine) if module else ToolServers(engine)
    return servers


def check_servers(settings: Settings) -> None:
    """Raise UsageError if the settings name servers and the extension that uses them is not installed."""
    if settings.mcp:
        extension_module(KIND, "The client of your MCP servers (`[mcp.NAME]`)", "mcp_client")
