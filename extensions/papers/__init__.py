"""Strategies from papers, each a small file over the loop of the core."""

PLUGINS = {"aci.guest": "guest", "agent.strategies": "strategies", "tools": "tools"}
