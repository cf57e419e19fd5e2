"""Which repository a folder holds, whoever cloned it and wherever: by its first commit and by where it is from.

Neither is enough alone: forks share the first commit, and an address is a line that anybody writes into a config.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from aci.history_git import Commits
from aci.repository import Repository
from trajectories.errors import SweAgentError
from trajectories.plumbing import GitFailed

MOST_CLONES = 5
"""Clones of clones that are followed to where the first is from."""
_USER = re.compile(r"(?<=://)(?:[^/]*@|[^/:\[]*:(?!\d*(?:/|$)).*@)|^(?!\w[\w+.-]*://)[^/@]*@")
"""User and password, also one with signs that should have been written otherwise."""
_HOST = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?(?P<host>\[[^\]\s]+\]|[\w.-]+)(?::\d+/|[:/])(?P<path>.+)", re.I)


@dataclass(frozen=True, slots=True)
class Identity:
    """`root` is the id of the first commit, `origin` where it is from: `github.com/owner/name`, or a folder here."""

    root: str
    origin: str

    @property
    def key(self) -> str:
        """A file name: readable, and different for each repository."""
        name = (
            re.sub(r"[^\w.-]", "-", self.origin.removesuffix(".git").rpartition("/")[2]).strip(".-")[:40]
            or "repository"
        )
        return f"{name}-{hashlib.sha256(f'{self.root} {self.origin}'.encode('utf-8', 'replace')).hexdigest()[:16]}"


def identity(source: Repository, commit: str) -> Identity | None:
    """The identity of a repository, by one of its commits.

    None where it has no lasting one: for a folder without git, and a history that was cut off (a shallow clone), whose
    first commit here is any.
    """
    commits = Commits(source.git_dir)
    root = "" if source.plain or commits.boundary else commits.root(commit)
    return Identity(root, _origin(source, MOST_CLONES)) if root else None


def _origin(source: Repository, clones: int) -> str:
    """A clone of a folder here is from where that is from."""
    try:
        url = source.configured("remote.origin.url")
    except GitFailed:
        url = ""
    if not url:
        return str(source.root)
    folder = _folder(url, source.root)
    if folder is None:
        return normal(url)
    try:
        return _origin(Repository.open(folder), clones - 1) if clones else str(folder)
    except SweAgentError:  # it is gone, or no repository
        return str(folder)


def _folder(url: str, root: Path) -> Path | None:
    """The folder that an address names; None for one on the network."""
    try:
        if url.startswith("file://"):
            return Path(url.removeprefix("file://")).resolve()
        if url.startswith(("/", "./", "../", "~")) or (root / url).is_dir():
            return (root / Path(url).expanduser()).resolve()
    except (OSError, ValueError, RuntimeError):  # too long for a path, links in a circle, nobody's home
        pass
    return None


def normal(url: str) -> str:
    """The same for all ways to write an address: without scheme, user, port, `www.`, `.git` and what follows a
    `?`, in small letters."""
    url = re.split(r"[?#]", _USER.sub("", url, count=1), maxsplit=1)[0]
    match = _HOST.fullmatch(url)
    written = f"{match['host']}/{match['path'].lstrip('/')}" if match else url
    return written.rstrip("/").removesuffix(".git").rstrip("/").lower().removeprefix("www.")
