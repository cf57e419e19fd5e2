"""Environments: images, and Python environments on this machine, in which a repository's tests run; `swe-agent env`."""

PLUGINS = {
    "aci.environments.preparation": "preparation",
    "aci.guest": "guest",
    "agent.cli.commands": "commands",
    "agent.lifecycle.setup_question": "setup_question",
    "extensions.housekeeping.environment_checks": "environment_checks",
}
