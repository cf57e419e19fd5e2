"""Writes tests for a file, with a model or without: `swe-agent test` and the strategy `write-tests`."""

PLUGINS = {"aci.guest": "guest", "agent.cli.commands": "commands", "agent.strategies": "strategies"}
REQUIRES = ("experiment",)
