"""Strategies from papers, each a small file over the loop of the core."""

PLUGINS = {"agent.strategies": "strategies"}
