"""The MCP server: this program's functions as tools for another agent."""
