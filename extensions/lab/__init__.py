"""The laboratory: batches, their evaluation, synthetic tasks and an environment for training."""

PLUGINS = {"aci.guest": "guest", "agent.cli.commands": "commands"}
REQUIRES = ("experiment",)
