"""The user's remotes on a GitHub server, recognised in all notations of their URLs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.inputs.github_urls import Address, is_known_server, known_servers
from trajectories.errors import ConfigError, UsageError
from trajectories.git_store.git_commands import GitFailed, decode

if TYPE_CHECKING:
    from github.Repository import Repository as Hosted

    from aci.repository.user_repository import Repository

_NAME = r"/*(?P<name>[\w.-]+/[\w.-]+?)(?:\.git)?/*"
_HTTP = re.compile(rf"(?P<server>https?://(?:[^/@\s]*@)?(?P<host>[\w.-]+(?::\d+)?)){_NAME}", re.IGNORECASE)
_SSH = re.compile(
    rf"(?:ssh://(?:[\w.-]+@)?(?P<host>[\w.-]+)(?::\d+)?/|(?:[\w.-]+@)?(?P<short>[\w.-]+):){_NAME}", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Remote:
    """A remote: its name, its repository, and the URL to push to (for https without credentials)."""

    called: str
    repository: str
    url: str

    @property
    def https(self) -> bool:
        return self.url.startswith(("http://", "https://"))


def names(source: Repository) -> list[str]:
    """Return the names of the user's remotes."""
    return decode(source._git("remote")).split()


def remotes(source: Repository, address: Address) -> Iterator[Remote]:
    """Yield the remotes on the server of `address`, `origin` and `upstream` first."""
    for called in sorted(names(source), key=lambda name: (name != "origin", name != "upstream", name)):
        try:
            url = decode(source._git("remote", "get-url", "--push", "--", called)).strip()
        except GitFailed:
            continue
        if found := _remote(called, url, address):
            yield found


def issue_url(remote: str, number: int) -> str:
    """Return the URL of an issue of the repository to which the URL of a remote points; "" if that is not on a server
    to which requests may be sent."""
    if not (match := _HTTP.fullmatch(remote) or _SSH.fullmatch(remote)):
        return ""
    parts = match.groupdict()
    host = (parts["host"] or parts.get("short") or "").lower()
    for server in (*known_servers(), f"https://{host}"):
        if is_known_server(server) and _is_on(host, server, is_ssh="server" not in parts):
            return Address(server, match["name"], number).issue_url
    return ""


def _is_on(host: str, server: str, is_ssh: bool) -> bool:
    """Return whether a remote's host is that of a server. For ssh it may be an alias such as `github.com-work`, which
    users choose in their configuration, and the port differs."""
    there = server.partition("://")[2]
    if not is_ssh:
        return host.removeprefix("www.").removesuffix(":443") == there
    own = there.partition(":")[0]
    return host in (own, f"ssh.{own}") or re.fullmatch(rf"{re.escape(own)}[-_][\w-]+", host) is not None


def has_remote(source: Repository, address: Address) -> bool:
    """Whether a remote's URL names the repository at `address`.

    Both the configured URLs and those rewritten by git (`insteadOf`, `pushInsteadOf`) count.
    """
    asked = [
        (called, question)
        for called in names(source)
        for question in (
            ("config", "--get-all", f"remote.{called}.url"),
            ("config", "--get-all", f"remote.{called}.pushurl"),
            ("remote", "get-url", "--all", "--", called),
            ("remote", "get-url", "--all", "--push", "--", called),
        )
    ]
    found = (
        _remote(called, url, address)
        for called, question in asked
        for url in decode(source._git(*question, ok=(0, 1, 2, 128))).splitlines()
    )
    return any(one is not None and one.repository.lower() == address.repository.lower() for one in found)


def _remote(called: str, url: str, address: Address) -> Remote | None:
    """Return the remote, or None if it is not on the server of `address`."""
    if match := _HTTP.fullmatch(url):
        scheme = address.server.partition("//")[0]
        same = _is_on(match["host"].lower(), address.server, is_ssh=False) and url.lower().startswith(scheme)
        return Remote(called, match["name"], f"{address.server}/{match['name']}.git") if same else None
    match = _SSH.fullmatch(url)
    if match and _is_on((match["host"] or match["short"]).lower(), address.server, is_ssh=True):
        return Remote(called, match["name"], url)
    return None


def known_remotes(source: Repository, address: Address, hosted: Hosted) -> Iterator[tuple[Remote, Hosted]]:
    """Yield the remotes that are the repository, then those that are forks of it."""
    from extensions.github.api.github_client import connect, translate_errors

    forks: list[tuple[Remote, Hosted]] = []
    client = connect(address)
    for remote in remotes(source, address):
        if remote.repository.lower() in (hosted.full_name.lower(), address.repository.lower()):
            yield remote, hosted
            continue
        try:
            with translate_errors(f"read {remote.repository}", "metadata: read"):
                there = client.get_repo(remote.repository)
                origin = there.source or there.parent if there.fork else None
        except (UsageError, ConfigError):
            continue
        if there.id == hosted.id:
            yield remote, there
        elif origin is not None and origin.id in (hosted.id, hosted.source.id if hosted.fork and hosted.source else 0):
            forks.append((remote, there))
    yield from forks
