"""Helpers: the model of a run may give a task to a separate conversation (the tool `delegate`)."""

PLUGINS = {
    "agent.engine.helpers": "delegation",
    "extensions.interactive.session.commands": "session_commands",
    "tools": "tools",
}
