"""Questions about a repository without a model: places for an issue, patch or error log, and neighbours of a symbol."""

PLUGINS = {"agent.cli.commands": "commands"}
