"""The identity of a repository across its clones: its first commit and its origin.

Neither is enough alone: forks share the first commit, and anyone can set any origin in a configuration file.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from aci.history.git_log import GitLog
from aci.repository.user_repository import Repository
from trajectories.errors import SweAgentError
from trajectories.git_store.git_commands import GitFailed

MOST_CLONES = 5
"""Maximum number of local clones that are followed to find the original repository's origin."""
_USER = re.compile(r"(?<=://)(?:[^/]*@|[^/:\[]*:(?!\d*(?:/|$)).*@)|^(?!\w[\w+.-]*://)[^/@]*@")
"""Matches the user and password in a URL, even if the password contains unescaped special characters."""
_HOST = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?(?P<host>\[[^\]\s]+\]|[\w.-]+)(?::\d+/|[:/])(?P<path>.+)", re.I)


@dataclass(frozen=True, slots=True)
class Identity:
    """A repository's identity.

    `root` is the id of the first commit, `origin` the normalised URL (`github.com/owner/name`) or a local folder.
    """

    root: str
    origin: str

    @property
    def key(self) -> str:
        """A readable file name that is unique to the repository."""
        name = (
            re.sub(r"[^\w.-]", "-", self.origin.removesuffix(".git").rpartition("/")[2]).strip(".-")[:40]
            or "repository"
        )
        return f"{name}-{hashlib.sha256(f'{self.root} {self.origin}'.encode('utf-8', 'replace')).hexdigest()[:16]}"


def find_identity(source: Repository, commit: str) -> Identity | None:
    """Return the identity of the repository that contains this commit.

    Returns None for a folder without git, and for a shallow clone, whose first commit depends on the clone's depth.
    """
    commits = GitLog(source.git_dir)
    root = "" if source.plain or commits.boundary else commits.root(commit)
    return Identity(root, _origin(source, MOST_CLONES)) if root else None


def _origin(source: Repository, clones: int) -> str:
    """Return the origin of a repository; for a clone of a local folder, return the origin of that folder."""
    try:
        url = source.configured("remote.origin.url")
    except GitFailed:
        url = ""
    if not url:
        return str(source.root)
    folder = _folder(url, source.root)
    if folder is None:
        return normalise_url(url)
    try:
        return _origin(Repository.open(folder), clones - 1) if clones else str(folder)
    except SweAgentError:  # the folder is missing, or is not a repository
        return str(folder)


def _folder(url: str, root: Path) -> Path | None:
    """Return the local folder that a URL refers to; None for a remote URL."""
    try:
        if url.startswith("file://"):
            return Path(url.removeprefix("file://")).resolve()
        if url.startswith(("/", "./", "../", "~")) or (root / url).is_dir():
            return (root / Path(url).expanduser()).resolve()
    # The path is too long, has circular links, or starts with the home of an unknown user.
    except (OSError, ValueError, RuntimeError):
        pass
    return None


def url_of(source: Repository) -> str:
    """Return where the repository comes from, such as `github.com/owner/name`; "" for a folder."""
    url = source.configured("remote.origin.url")
    return normalise_url(url) if "://" in url or re.match(r"[\w.-]+@[\w.-]+:", url) else ""


def normalise_url(url: str) -> str:
    """Return the normal form of a URL: lower case, without scheme, user, port, `www.`, `.git`, query and fragment."""
    url = re.split(r"[?#]", _USER.sub("", url, count=1), maxsplit=1)[0]
    match = _HOST.fullmatch(url)
    written = f"{match['host']}/{match['path'].lstrip('/')}" if match else url
    return written.rstrip("/").removesuffix(".git").rstrip("/").lower().removeprefix("www.")
