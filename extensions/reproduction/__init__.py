"""Makes a failing test from an issue's example, without a model, and finds the commit since which a test fails."""

PLUGINS = {
    "aci.guest": "guest",
    "agent.cli.commands": "commands",
    "agent.cli.log_search": "log_search",
    "agent.phases.issue_drafts": "issue_reproduction",
}
