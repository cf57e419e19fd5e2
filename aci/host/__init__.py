"""Workspaces on the user's machine: clones of the repository, the project's files outside git, and the sandbox."""
