"""The MCP servers of an engine: offered only where the user can be asked, and started late."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from trajectories.outside_calls import SEPARATOR

if TYPE_CHECKING:
    from agent.config.settings import Settings
    from agent.limits.cancellation import CancellationToken
    from agent.mcp_client.run_servers import RunServers
    from tools.base import Toolbox
    from trajectories.journal import Journal

NOT_OFFERED = (
    "The MCP servers of your config are not used: their tools need your consent, and there is no one to ask here."
)


class ServedRun(Protocol):
    """The parts of an engine that its servers depend on."""

    settings: Settings
    toolbox: Toolbox
    journal: Journal
    cancel: CancellationToken

    @property
    def secrets(self) -> tuple[str, ...]: ...

    def report(self, kind: str, branch: str, text: str) -> None: ...


class EngineServers:
    """The servers of the settings, or none if no user can be asked. Thread-safe."""

    def __init__(self, engine: ServedRun) -> None:
        self.can_ask = False
        """Whether the front end asks its user."""
        self._engine = engine
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
                from agent.mcp_client.run_servers import RunServers

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
        """Start the servers if a recorded reply calls one of their tools. Raises Cancelled."""
        if SEPARATOR in tool and self._servers is None:
            self.schemas()

    def close(self) -> None:
        if self._servers is not None:
            self._servers.close()
