"""Repositories with real submodules."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import git


def add_submodule(root: Path, source: Path, path: str) -> Path:
    """Add the repository `source` as a submodule, check out its own submodules too, commit, and return its folder."""
    with_files = ("-c", "protocol.file.allow=always", "submodule")
    git(root, *with_files, "--quiet", "add", str(source), path)
    git(root, *with_files, "--quiet", "update", "--init", "--recursive")
    git(root, "commit", "-q", "-m", f"Add {path}")
    return root / path
