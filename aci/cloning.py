"""A clone of somebody's repository that is named by a URL."""

from __future__ import annotations

import hashlib
import re
import tempfile
from pathlib import Path

from aci.repository import OPTIONS
from trajectories.errors import UsageError, WorkspaceError
from trajectories.plumbing import QUIET, GitFailed, environment, git


def clone(url: str, folder: Path) -> Path:
    """A bare clone of `url` under `folder`, made on first use and brought up to date on every other.

    The only place where the user's remotes are contacted. Raises UsageError, and WorkspaceError where `folder` cannot
    be written.
    """
    name = re.sub(r"\W+", "-", url.rstrip("/").removesuffix(".git").rsplit("/", 1)[-1]).strip("-") or "repository"
    place = folder / f"{name}-{hashlib.sha256(url.encode()).hexdigest()[:10]}.git"
    env = environment(
        {**QUIET, "GIT_ALLOW_PROTOCOL": "http:https:ssh:git:file"}, keep=("GIT_CONFIG", "GIT_SSH", "GIT_SSL")
    )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not place.exists():
            _make(url, place, env)
        else:
            git("-C", str(place), *OPTIONS, "fetch", "-q", "--prune", "origin", "+refs/heads/*:refs/heads/*", env=env)
    except GitFailed as error:
        shown = re.sub(r"//[^/]*@", "//", url)  # without a password
        raise UsageError(
            f"{shown} cannot be cloned: {error.reason}.", "See that it is right and can be reached."
        ) from error
    except OSError as error:
        raise WorkspaceError(
            f"Nothing can be cloned to {folder}: {error.strerror}.",
            "Make room there, or point SWE_AGENT_STATE to a folder that can be written.",
        ) from error
    return place


def _make(url: str, place: Path, env: dict[str, str]) -> None:
    """The clone, whole or not at all; another process's where it was first."""
    with tempfile.TemporaryDirectory(prefix="clone-", dir=place.parent) as made:
        git(*OPTIONS, "clone", "-q", "--bare", "--", url, f"{made}/new", env=env, timeout=3600.0)
        try:
            Path(made, "new").rename(place)
        except OSError:
            if not (place / "HEAD").exists():
                raise
