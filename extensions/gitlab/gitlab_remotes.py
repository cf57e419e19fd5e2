"""The user's remotes on a GitLab server, and the repository that an issue belongs to: a checkout or a clone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aci.repository.user_repository import Repository
from extensions.github.api.issue_repository import check_remotes, checkout_or_clone
from extensions.gitlab.gitlab_address import PROJECT, GitLabAddress, address_of, known_servers
from extensions.gitlab.gitlab_client import GitLabClient, is_object
from trajectories.errors import ConfigError, TryLater, UsageError
from trajectories.git_store.git_commands import decode

if TYPE_CHECKING:
    from pathlib import Path

_HTTP = re.compile(r"(?P<scheme>https?)://(?:[^/@\s]*@)?(?P<host>[\w.-]+(?::\d+)?)/+(?P<path>\S+)", re.IGNORECASE)
_SSH = re.compile(
    r"(?:ssh://(?:[\w.-]+@)?(?P<host>[\w.-]+)(?::\d+)?/+|(?:[\w.-]+@)?(?P<short>[\w.-]+):/*)(?P<path>\S+)"
)
_PATH = re.compile(rf"(?P<project>{PROJECT})(?:\.git)?/*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Remote:
    """A remote: its name, its project, and the URL to push to (for https without credentials)."""

    called: str
    project: str
    url: str

    @property
    def https(self) -> bool:
        return self.url.startswith(("http://", "https://"))


def issue_url(remote: str, number: int) -> str:
    """Return the URL of an issue of the project to which the URL of a remote points; "" if that is not on a server to
    which requests may be sent."""
    places = ((server, project_of(remote, server)) for server in known_servers())
    return next((GitLabAddress(server, project, number).issue_url for server, project in places if project), "")


def project_of(remote: str, server: str) -> str:
    """Return the path of the project on a server to which the URL of a remote points; "" if it is elsewhere."""
    host, _, root = server.partition("://")[2].partition("/")
    if match := _HTTP.fullmatch(remote):
        there, path = match["host"].lower().removeprefix("www.").removesuffix(":443"), match["path"]
        if there != host or (root and not path.startswith(f"{root}/")):
            return ""
        path = path.removeprefix(f"{root}/") if root else path
    elif match := _SSH.fullmatch(remote):
        there, path, own = (match["host"] or match["short"]).lower(), match["path"], host.partition(":")[0]
        # an alias such as `gitlab.com-work`, which users choose in their configuration, is the same server
        if there not in (own, f"altssh.{own}") and not re.fullmatch(rf"{re.escape(own)}[-_][\w-]+", there):
            return ""
    else:
        return ""
    found = _PATH.fullmatch(path)
    return found["project"] if found else ""


def remotes(source: Repository, server: str) -> Iterator[Remote]:
    """Yield the remotes on a server, `origin` and `upstream` first."""
    names = decode(source._git("remote")).split()
    for called in sorted(names, key=lambda name: (name != "origin", name != "upstream", name)):
        asked = ("remote", "get-url", "--push", "--", called), ("config", "--get", f"remote.{called}.url")
        urls = (decode(source._git(*question, ok=(0, 1, 2, 128))).strip() for question in asked)
        for url in dict.fromkeys(urls):
            if project := project_of(url, server):
                yield Remote(called, project, f"{server}/{project}.git" if _HTTP.fullmatch(url) else url)


def read_project(client: GitLabClient, path: str) -> dict[str, Any]:
    """Return the JSON of a project by its path in the API. Raises what `GitLabClient.get` raises."""
    what = f"read {client.address.repository}"
    data = client.get(path, what)
    if not is_object(data, id=int, path_with_namespace=str):
        raise TryLater(f"GitLab gave an invalid answer when asked to {what}.", "Try again, or check GITLAB_HOST.")
    return dict(data)


def known_remotes(
    client: GitLabClient, source: Repository, home: dict[str, Any]
) -> Iterator[tuple[Remote, dict[str, Any]]]:
    """Yield the remotes that are the project `home`, under its current or an earlier name, then those that are forks of
    it; with the JSON of their projects."""
    forks: list[tuple[Remote, dict[str, Any]]] = []
    for remote in remotes(source, client.address.server):
        there = home
        if remote.project.lower() != str(home["path_with_namespace"]).lower():
            try:
                there = read_project(client, GitLabAddress(client.address.server, remote.project).path)
            except (UsageError, ConfigError):
                continue
        origin = there.get("forked_from_project")
        if there["id"] == home["id"]:
            yield remote, there
        elif isinstance(origin, dict) and origin.get("id") == home["id"]:
            forks.append((remote, there))
    yield from forks


def belongs_to(source: Repository, address: GitLabAddress) -> bool:
    """Whether a remote of `source` is the project at `address`, under its current or an earlier name, or a fork of it.

    Requests are sent to GitLab only if the names alone do not decide it.
    """
    there = list(remotes(source, address.server))
    if any(remote.project.lower() == address.repository.lower() for remote in there):
        return True
    if not there:
        return False
    with GitLabClient(address) as client:
        return any(known_remotes(client, source, read_project(client, address.path)))


def open_checkout(url: str, folder: Path, say: Callable[[str], object], needs: str = "") -> Repository:
    """As that of GitHub (`issue_repository.py`): a checkout of the issue's project in `folder`, else a clone."""
    return checkout_or_clone(address_of(url), belongs_to, folder, say, needs, "--mr")


def check_belongs(source: Repository, url: str, accept: Callable[[str], bool], fix: str) -> None:
    """Raise UsageError with the advice `fix` if the issue at `url` belongs elsewhere, unless `accept` returns True."""
    check_remotes(source, address_of(url), belongs_to, accept, fix)
