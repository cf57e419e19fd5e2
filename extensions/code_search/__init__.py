"""Questions about a repository: places for an issue, patch or error log, and neighbours of a symbol."""

PLUGINS = {
    "agent.cli.commands": "commands",
    "agent.cli.model_localization": "model_localization",
    "aci.proof.mirrors": "mirrors",
    "agent.lifecycle.locator": "locator",
    "agent.strategies": "strategies",
}
