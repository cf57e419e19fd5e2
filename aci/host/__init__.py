"""Workspaces on the user's machine: clones of the repository, and the project's environment and files outside git."""
