"""Optimizes a function, with a model or without: `swe-agent optimize`, `count` and the strategy `optimize`."""

PLUGINS = {
    "aci.guest": "guest",
    "agent.cli.commands": "commands",
    "agent.lifecycle.unfinished_searches": "unfinished_search",
    "agent.strategies": "strategies",
}
REQUIRES = ("experiment",)
