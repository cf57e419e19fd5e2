"""What to do in a folder that has no commit, and therefore no base for a run."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

MOST_ENTRIES = 2_000
"""Maximum number of entries that are looked at to find repositories in a folder."""
DEPTH = 2
"""Number of levels below the folder in which repositories are looked for."""
COMMIT = "git add -A && git commit -m 'first commit'"


def first_commit_advice(folder: Path, has_git: bool = False) -> str:
    """Return the sentence that says how to get a commit in `folder`, an absolute path; `has_git` says that it is in a
    repository already.

    The commands add every file of the folder, so they are not advised where the files are no project.
    """
    if holds_home(folder):
        return "Choose the folder of a project instead."
    if found := next(_inner_repositories(folder), None):
        return f"Choose a repository in it, such as {found}."
    init = "" if has_git else "git init && "
    return f"Create one: cd {shlex.quote(str(folder))} && {init}{COMMIT}"


def holds_home(folder: Path) -> bool:
    """Return whether the folder is the user's home directory or contains it, as `/` does."""
    return Path.home().resolve().is_relative_to(folder.resolve())


def _inner_repositories(folder: Path) -> Iterator[Path]:
    """Yield repositories in the folder, those in its own subfolders first."""
    level, seen = [folder], 0
    for _ in range(DEPTH):
        inner: list[Path] = []
        for each in level:
            for entry in _folders(each):
                seen += 1
                if seen > MOST_ENTRIES:
                    return
                if os.path.lexists(entry / ".git"):
                    yield entry
                inner.append(entry)
        level = inner


def _folders(folder: Path) -> list[Path]:
    """Return the subfolders in the order of their names, without hidden ones and links; none if it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            names = [each.name for each in entries if each.name[0] != "." and each.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [folder / name for name in sorted(names)]
