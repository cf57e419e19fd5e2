"""The user's remotes on a GitHub server, recognised in all notations of their URLs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.inputs.github_urls import Address, is_known_server
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


def find_issue_url(source: Repository, number: int) -> str:
    """Return the URL of an issue of the user's repository on GitHub: of the remote `upstream`, else `origin`, else
    another one, as GitHub's command line chooses it.

    The configured URLs are read as they are: `insteadOf` does not change them. Raises UsageError if no remote is on a
    server to which requests may be sent.
    """
    others = ""
    for called in sorted(names(source), key=lambda name: (name != "upstream", name != "origin", name)):
        for url in decode(source._git("config", "--get-all", f"remote.{called}.url", ok=(0, 1))).splitlines():
            if not (match := _HTTP.fullmatch(url) or _SSH.fullmatch(url)):
                continue
            server = _server(match)
            if is_known_server(server):
                return Address(server, match["name"], number).issue_url
            others = others or server.partition("://")[2]
    if others:
        advice = f"If {others} is a GitHub Enterprise server, set GH_HOST={others}; else give the text with --text."
        raise UsageError(f"No remote of {source.root} is on GitHub; {others} is not known as a GitHub server.", advice)
    raise UsageError(f"No remote of {source.root} is on GitHub.", f"Give the URL of issue {number}.")


def _server(match: re.Match[str]) -> str:
    """Return the server that a remote's URL names, without user and password."""
    parts = match.groupdict()
    if server := parts.get("server"):
        scheme, _, rest = server.lower().partition("://")
        return f"{scheme}://{rest.rpartition('@')[2].removeprefix('www.')}"
    return f"https://{(parts['host'] or parts['short']).lower().removeprefix('ssh.')}"


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
        host, scheme = match["host"].lower().removeprefix("www."), address.server.partition("//")[0]
        same = host == address.host and url.lower().startswith(scheme)
        return Remote(called, match["name"], f"{address.server}/{match['name']}.git") if same else None
    match = _SSH.fullmatch(url)
    if match is None:
        return None
    host, own = (match["host"] or match["short"]).lower(), address.host.partition(":")[0]
    # host aliases in ssh configurations are often named like `github.com-work`
    if host in (own, f"ssh.{own}") or re.fullmatch(rf"{re.escape(own)}[-_][\w-]+", host):
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
