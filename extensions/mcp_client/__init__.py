"""The MCP client: tools of the user's MCP servers, which a session offers to the model."""

PLUGINS = {"agent.engine.tool_servers": "engine_servers"}
