"""Checks of this machine and of the settings (`swe-agent doctor`), and the removal of old runs (`swe-agent gc`)."""

PLUGINS = {"agent.cli.commands": "commands"}
