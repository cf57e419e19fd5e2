"""Clones of somebody's repository that is named by a URL. The only place where the user's remotes are contacted."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from aci.pushing import with_token
from aci.repository import OPTIONS
from trajectories.errors import UsageError, WorkspaceError
from trajectories.plumbing import QUIET, GitFailed, environment, git

REFUSED = re.compile(
    r"not found|does(n't| not) (exist|appear to be a git repository)|not a git repository|terminal prompts disabled|"
    r"could not read (username|password)|authentication failed|permission denied \(|not allowed|"
    r"url (rejected|using bad)|unsupported protocol|protocol .* not supported|remote helper|strange (host|path|port)|"
    r"not our ref|couldn't find remote ref|unadvertised object|not a valid ref",
    re.IGNORECASE,
)
"""A server, or git before it asked one, says clearly that it will not be: asked again it says the same."""
EVERYTHING = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")


def clone(url: str, folder: Path, token: str = "") -> Path:
    """A bare clone of `url` under `folder`, made on first use and brought up to date on every other. Where the user's
    own git may not read it, `token` is used, as GitHub takes it; it is not kept.

    Raises UsageError for what is no repository, or none of ours to read; WorkspaceError where `folder` cannot be
    written, or nobody answers.
    """
    place = place_of(url, folder)
    try:
        _bring_up(url, place)
    except UsageError:
        if not token:
            raise
        _bring_up(url, place, with_token(url, token))
    return place


def _bring_up(url: str, place: Path, env: Mapping[str, str] = {}) -> None:
    if not place.exists():
        clone_to(url, place, env)
        return
    with _told(url, place.parent):
        _git("-C", str(place), *OPTIONS, "fetch", "-q", "--prune", "origin", EVERYTHING[0], env=env)


def place_of(url: str, folder: Path) -> Path:
    """Where under `folder` the clone of a URL lies: two URLs have two places."""
    name = re.sub(r"\W+", "-", url.rstrip("/").removesuffix(".git").rsplit("/", 1)[-1]).strip("-") or "repository"
    return folder / f"{name}-{hashlib.sha256(url.encode()).hexdigest()[:10]}.git"


def clone_to(url: str, place: Path, env: Mapping[str, str] = {}) -> None:
    """A bare clone of `url` at `place`, whole or not at all; another process's where it was first. `env` is
    added to git's environment.

    Raises as `clone`.
    """
    with _told(url, place.parent):
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="clone-", dir=place.parent) as made:
            _git(*OPTIONS, "clone", "-q", "--bare", "--", url, f"{made}/new", env=env)
            try:
                Path(made, "new").rename(place)
            except OSError:
                if not (place / "HEAD").exists():
                    raise


def has(place: Path, commit: str) -> bool:
    """Whether the repository at `place` has the commit, without asking anybody for it."""
    try:
        git("-C", str(place), *OPTIONS, "cat-file", "-e", f"{commit}^{{commit}}", env=environment(QUIET))
    except GitFailed:
        return False
    return True


def origin(place: Path) -> str:
    """Where the repository at `place` comes from, or nothing."""
    try:
        return _git("-C", str(place), *OPTIONS, "config", "remote.origin.url").decode("utf-8", "replace").strip()
    except GitFailed:
        return ""


def update(url: str, place: Path, commit: str = "") -> bool:
    """Fetch what a clone of ours lacks: all branches and tags, and where these do not have the commit, that by its id,
    which servers give although no branch has it.

    False where it cannot be had, or where the clone is of something else. Raises WorkspaceError where nobody answers.
    """
    if origin(place) != url:
        return False
    wanted = [EVERYTHING, *([(f"+{commit}:refs/swe-agent/{commit}",)] if commit else [])]
    try:
        with _told(url, place.parent):
            for each in wanted:
                _git("-C", str(place), *OPTIONS, "fetch", "-q", "origin", *each)
                if not commit or has(place, commit):
                    return True
    except UsageError:
        pass
    return False


def _git(*args: str, env: Mapping[str, str] = {}) -> bytes:
    env = environment(
        {**QUIET, "GIT_ALLOW_PROTOCOL": "http:https:ssh:git:file", **env}, keep=("GIT_CONFIG", "GIT_SSH", "GIT_SSL")
    )
    return git(*args, env=env, timeout=3600.0)


@contextmanager
def _told(url: str, folder: Path) -> Iterator[None]:
    """What goes wrong, in words."""
    try:
        yield
    except GitFailed as error:
        shown = re.sub(r"//[^/]*@", "//", url)  # without a password
        refused = UsageError if REFUSED.search(error.stderr) else WorkspaceError
        raise refused(
            f"{shown} cannot be cloned: {error.reason}.", "See that it is right and can be reached."
        ) from error
    except OSError as error:
        raise WorkspaceError(
            f"Nothing can be cloned to {folder}: {error.strerror}.",
            "Make room there, or point SWE_AGENT_STATE to a folder that can be written.",
        ) from error
