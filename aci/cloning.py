"""A clone of somebody's repository that is named by a URL."""

from __future__ import annotations

import hashlib
import re
import tempfile
from pathlib import Path

from aci.repository import OPTIONS
from trajectories.errors import UsageError
from trajectories.plumbing import QUIET, GitFailed, environment, git


def clone(url: str, folder: Path) -> Path:
    """A bare clone of `url` under `folder`, made on first use and brought up to date on every other.

    The only place where the user's remotes are contacted. Raises UsageError.
    """
    name = re.sub(r"\W+", "-", url.rstrip("/").removesuffix(".git").rsplit("/", 1)[-1]).strip("-") or "repository"
    place = folder / f"{name}-{hashlib.sha256(url.encode()).hexdigest()[:10]}.git"
    env = environment(
        {**QUIET, "GIT_ALLOW_PROTOCOL": "http:https:ssh:git:file"}, keep=("GIT_CONFIG", "GIT_SSH", "GIT_SSL")
    )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        if place.exists():
            git("-C", str(place), *OPTIONS, "fetch", "-q", "--prune", "origin", "+refs/heads/*:refs/heads/*", env=env)
            return place
        with tempfile.TemporaryDirectory(prefix="clone-", dir=folder) as made:
            git(*OPTIONS, "clone", "-q", "--bare", "--", url, f"{made}/new", env=env, timeout=3600.0)
            Path(made, "new").rename(place)
    except GitFailed as error:
        shown = re.sub(r"//[^/]*@", "//", url)  # without a password
        raise UsageError(
            f"{shown} cannot be cloned: {error.reason}.", "See that it is right and can be reached."
        ) from error
    return place
