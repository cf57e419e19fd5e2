"""Bare clones of repositories given by URL. No other module of the core contacts a remote."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from aci.repository.user_repository import OPTIONS
from trajectories.errors import UsageError, WorkspaceError
from trajectories.git_store.git_commands import QUIET, GitFailed, environment, git, setting_variables

REFUSED = re.compile(
    r"not found|does(n't| not) (exist|appear to be a git repository)|not a git repository|terminal prompts disabled|"
    r"could not read (username|password)|authentication failed|permission denied \(|not allowed|"
    r"url (rejected|using bad)|unsupported protocol|protocol .* not supported|remote helper|strange (host|path|port)|"
    r"not our ref|couldn't find remote ref|unadvertised object|not a valid ref",
    re.IGNORECASE,
)
"""Errors of git or of a server that a retry would not resolve."""
EVERYTHING = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")


def clone(url: str, folder: Path, token: str = "") -> Path:
    """Return a bare clone of `url` under `folder`, created on first use and fetched on every later one.

    If the user's own git credentials do not suffice, `token` is used as a GitHub token; it is not stored.
    Raises UsageError if there is no repository or it may not be read, WorkspaceError if `folder` cannot be written or
    the server does not answer.
    """
    place = clone_path(url, folder)
    try:
        _clone_or_fetch(url, place)
    except UsageError:
        if not token:
            raise
        _clone_or_fetch(url, place, token_environment(url, token, os.environ))
    return place


def _clone_or_fetch(url: str, place: Path, env: Mapping[str, str] = {}) -> None:
    if not place.exists():
        clone_to(url, place, env)
        return
    with _translated_errors(url, place.parent):
        _git("-C", str(place), *OPTIONS, "fetch", "-q", "--prune", "origin", EVERYTHING[0], env=env)


def clone_path(url: str, folder: Path) -> Path:
    """Return the path of a URL's clone under `folder`; it is different for each URL."""
    name = re.sub(r"\W+", "-", url.rstrip("/").removesuffix(".git").rsplit("/", 1)[-1]).strip("-") or "repository"
    return folder / f"{name}-{hashlib.sha256(url.encode()).hexdigest()[:10]}.git"


def clone_to(url: str, place: Path, env: Mapping[str, str] = {}) -> None:
    """Create a bare clone of `url` at `place` atomically, or keep the one that another process created first.

    `env` is added to git's environment. Raises the same errors as `clone`.
    """
    with _translated_errors(url, place.parent):
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="clone-", dir=place.parent) as made:
            _git(*OPTIONS, "clone", "-q", "--bare", "--", url, f"{made}/new", env=env)
            try:
                Path(made, "new").rename(place)
            except OSError:
                if not (place / "HEAD").exists():
                    raise


def has_commit(place: Path, commit: str) -> bool:
    """Whether the repository at `place` has the commit; contacts no server."""
    try:
        git("-C", str(place), *OPTIONS, "cat-file", "-e", f"{commit}^{{commit}}", env=environment(QUIET))
    except GitFailed:
        return False
    return True


def origin_url(place: Path) -> str:
    """Return the URL that the repository at `place` was cloned from, or ""."""
    try:
        return _git("-C", str(place), *OPTIONS, "config", "remote.origin.url").decode("utf-8", "replace").strip()
    except GitFailed:
        return ""


def update_clone(url: str, place: Path, commit: str = "", token: str = "") -> bool:
    """Fetch all branches and tags into a clone, and `commit` by its id if they do not contain it.

    Servers may have commits that no branch contains. `token` is used as a GitHub token. Return False if the commit is
    not available or the clone is of another URL. Raises WorkspaceError if the server does not answer.
    """
    if origin_url(place) != url:
        return False
    env = token_environment(url, token, os.environ) if token else {}
    wanted = [EVERYTHING, *([(f"+{commit}:refs/swe-agent/{commit}",)] if commit else [])]
    try:
        with _translated_errors(url, place.parent):
            for each in wanted:
                _git("-C", str(place), *OPTIONS, "fetch", "-q", "origin", *each, env=env)
                if not commit or has_commit(place, commit):
                    return True
    except UsageError:
        pass
    return False


def token_environment(url: str, token: str, given: Mapping[str, str]) -> dict[str, str]:
    """Return environment variables that make git send the token to this URL only and use no other login. Settings in
    the variables `given`, which git gets too, stay in effect."""
    header = b64encode(f"x-access-token:{token}".encode()).decode()
    pairs = [
        (f"http.{url}.extraHeader", ""),  # drop headers from other configuration
        (f"http.{url}.extraHeader", f"Authorization: Basic {header}"),
        (f"http.{url}.followRedirects", "false"),
        ("credential.helper", ""),
    ]
    return {**setting_variables(pairs, given), "GIT_ASKPASS": ""}


def _git(*args: str, env: Mapping[str, str] = {}) -> bytes:
    env = environment(
        {**QUIET, "GIT_ALLOW_PROTOCOL": "http:https:ssh:git:file", **env}, keep=("GIT_CONFIG", "GIT_SSH", "GIT_SSL")
    )
    return git(*args, env=env, timeout=3600.0)


@contextmanager
def _translated_errors(url: str, folder: Path) -> Iterator[None]:
    """Translate errors of git and of the file system into messages for the user."""
    try:
        yield
    except GitFailed as error:
        shown = re.sub(r"//[^/]*@", "//", url)  # without a password
        refused = UsageError if REFUSED.search(error.stderr) else WorkspaceError
        raise refused(
            f"{shown} cannot be cloned: {error.reason}.", "Check that the URL is right and can be reached."
        ) from error
    except OSError as error:
        raise WorkspaceError(
            f"Cannot clone to {folder}: {error.strerror}.",
            "Free some space there, or point SWE_AGENT_STATE to a writable folder.",
        ) from error
