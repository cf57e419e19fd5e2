"""Hooks: the user's own programs at fixed points of a run."""
