"""The laboratory: batches, their evaluation, synthetic tasks, exports of runs and an environment for training."""

PLUGINS = {
    "aci.guest": "guest",
    "agent.cli.commands": "commands",
    "agent.models": "models",
    "agent.runs.export": "run_export",
    "agent.runs.requests": "request_replay",
    "agent.strategies": "strategies",
    "trajectories.exports": "exports",
    "trajectories.importers": "importers",
}
REQUIRES = ("environments", "experiment")
