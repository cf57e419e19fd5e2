"""Makes a failing test from an issue's example, without a model: `swe-agent reproduce`, and tests for strategies."""

PLUGINS = {
    "aci.guest": "guest",
    "agent.cli.commands": "commands",
    "agent.phases.issue_drafts": "issue_reproduction",
}
