"""Files of a user's working tree that git does not track."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from aci.repository.git_view import reading_environment
from trajectories.git_store.git_commands import decode, git


def without_environments(untracked: list[bytes]) -> list[bytes]:
    """Return the paths that are not in a virtual environment."""
    marker = b"/pyvenv.cfg"
    folders = tuple(path.removesuffix(marker) + b"/" for path in untracked if path.endswith(marker))
    return [path for path in untracked if not path.startswith(folders)] if folders else untracked


def ignored_files(root: Path) -> list[str]:
    """Return the ignored files of a working tree; a folder, with a `/` at its end, if all of it is ignored."""
    listed = _git(root, "ls-files", "-o", "-i", "--exclude-standard", "--directory", "-z")
    return [decode(path) for path in listed.split(b"\0") if path]


def is_ignored(root: Path, file: Path) -> bool:
    """Return whether git ignores a file of a working tree, which need not exist."""
    return bool(_git(root, "check-ignore", "--", str(file)))


def lines_with(root: Path, words: Sequence[str]) -> str:
    """Return the lines of tracked Python files of a working tree that contain one of the words."""
    if not words:
        return ""
    patterns = [part for word in words for part in ("-e", word)]
    options = ("-h", "-I", "-w", "-F", "--no-color", "--no-line-number", "--no-column")
    return decode(_git(root, "grep", *options, *patterns, "--", "*.py", "*.pyi", "*.pyx"))


def is_readable(file: Path) -> bool:
    """Return whether a path is a link or a file that can be read."""
    return file.is_symlink() or (file.is_file() and os.access(file, os.R_OK))


def _git(root: Path, *args: str) -> bytes:
    env = reading_environment(root, {"GIT_LITERAL_PATHSPECS": "0"})
    return git("-c", "core.fsmonitor=false", *args, cwd=root, env=env, ok=(0, 1))
