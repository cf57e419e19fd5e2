"""A server of the program's functions as tools for another agent, over MCP: `swe-agent mcp`."""

PLUGINS = {"agent.cli.commands": "commands"}
