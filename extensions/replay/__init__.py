"""New runs from recorded ones: forks from a step, replays without a model, and the comparison of two runs."""

PLUGINS = {
    "agent.cli.commands": "commands",
    "agent.models": "models",
    "agent.runs.untrusted_copy": "run_fork",
    "extensions.report.run_comparison": "run_comparison",
}
