"""A repository named by its URL, cloned once beside the runs and brought up to date before each run."""

from __future__ import annotations

import hashlib
from pathlib import Path

from trajectories.errors import TryLater


def clone(url: str, folder: Path) -> Path:
    """The working tree of the clone of `url` under `folder`, at its default branch. Raises TryLater.

    Transports that run commands (`ext::`) are refused by GitPython; nothing ever asks for a password.
    """
    from git import GitCommandError, Repo
    from git.exc import UnsafeProtocolError

    name = url.rstrip("/").rpartition("/")[2].removesuffix(".git")
    path = folder / f"{name}-{hashlib.sha256(url.encode()).hexdigest()[:12]}"
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -oBatchMode=yes"}
    try:
        if not (path / ".git").exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            Repo.clone_from(url, path, env=quiet).close()
            return path
        with Repo(path) as repository, repository.git.custom_environment(**quiet):
            repository.remotes.origin.fetch(prune=True)
            repository.git.reset("--hard", "origin/HEAD")
            repository.git.clean("-ffdxq")
    except (GitCommandError, UnsafeProtocolError) as error:
        said = str(getattr(error, "stderr", "") or error).strip().splitlines()
        raise TryLater(
            f"{url} could not be cloned: {said[-1].strip() if said else 'no answer'}.",
            "Check the address, or clone it yourself and give the folder.",
        ) from None
    return path
