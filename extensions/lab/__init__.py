"""The laboratory: batches, their evaluation, synthetic tasks and an environment for training."""

PLUGINS = {"agent.cli.commands": "commands"}
