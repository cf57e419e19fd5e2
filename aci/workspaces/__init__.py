"""Backends: `open(options) -> Workspace` in each file; the file's name is the backend's."""
