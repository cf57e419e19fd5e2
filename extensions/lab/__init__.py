"""The laboratory: batches, their evaluation, synthetic tasks, exports of runs and an environment for training."""

PLUGINS = {
    "aci.guest": "guest",
    "agent.cli.commands": "commands",
    "agent.models": "models",
    "agent.runs.export": "run_export",
    "agent.strategies": "strategies",
    "agent.runs.requests": "request_replay",
    "trajectories.exports": "exports",
    "trajectories.importers": "importers",
}
REQUIRES = ("environments", "experiment")
