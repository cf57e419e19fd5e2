"""Memory: what runs learn from earlier runs, and the user's notes."""

PLUGINS = {
    "agent.cli.commands": "commands",
    "agent.engine.run_memory": "stored_memory",
    "agent.run_state.checkouts": "experience_bank",
    "extensions.interactive.memory": "memory_prompt",
}
