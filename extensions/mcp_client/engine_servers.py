"""The MCP servers of an engine: offered only where the user can be asked, and started late."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

from agent.engine.tool_servers import ServedRun, ToolServers
from trajectories.outside_calls import SEPARATOR

if TYPE_CHECKING:
    from extensions.mcp_client.run_servers import RunServers

NOT_OFFERED = (
    "The MCP servers of your config are not used: their tools need your consent, and there is no one to ask here."
)


class EngineServers(ToolServers):
    """The servers of the settings, or none if no user can be asked. Thread-safe."""

    def __init__(self, engine: ServedRun) -> None:
        super().__init__(engine)
        self._servers: RunServers | None = None
        self._has_said = False
        self._lock = Lock()

    def schemas(self) -> tuple[dict[str, Any], ...]:
        """Return the schemas of the servers' tools, which are started at the first call. Raises Cancelled."""
        engine = self._engine
        if not engine.settings.mcp:
            return ()
        with self._lock:
            if not self.can_ask:
                if not self._has_said:
                    self._has_said = True
                    engine.report("say", "main", NOT_OFFERED)
                return ()
            if self._servers is None:
                from extensions.mcp_client.run_servers import RunServers

                self._servers = RunServers(
                    engine.settings.mcp,
                    engine.toolbox,
                    engine.journal,
                    engine.settings.state,
                    engine.cancel,
                    lambda text: engine.report("say", "main", text),
                    lambda: engine.secrets,
                )
        return self._servers.schemas()

    def prepare(self, tool: str) -> None:
        if SEPARATOR in tool and self._servers is None:
            self.schemas()

    def close(self) -> None:
        if self._servers is not None:
            self._servers.close()
