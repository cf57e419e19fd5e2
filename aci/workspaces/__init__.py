"""Workspace backends. Each module has the name of its backend and a function `open(options) -> Workspace`."""
