"""Interactive sessions and their front ends: a full screen, plain lines, and editors (ACP)."""

PLUGINS = {
    "agent.cli.commands": "commands",
    "agent.cli.default_command": "default_session",
    "agent.strategies": "strategies",
}
REQUIRES = ("replay",)
