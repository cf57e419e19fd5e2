"""Hooks: programs of the user that check actions and patches, or are notified, at fixed points of a run."""

PLUGINS = {"agent.engine.run_hooks": "run_hooks"}
