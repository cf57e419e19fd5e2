"""Fixtures: those of the core's tests of MCP servers, and sessions."""

from tests.agent.mcp_client.conftest import make_server, received, set_server
from tests.extensions.interactive.session.conftest import talk

__all__ = ["make_server", "received", "set_server", "talk"]
