"""URLs on GitLab servers: those of issues, projects and the API; and the user's token for each server.

The supported servers are `gitlab.com` and the one that GITLAB_HOST names, as for GitLab's command line, or
CI_SERVER_URL in GitLab's CI. No requests are sent to other hosts.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import quote

from trajectories.errors import UsageError

GITLAB = "https://gitlab.com"
PROJECT = r"(?:(?!\.{1,2}/|-/)[\w.-]+/)+(?!\.{1,2}(?:[/?#]|$)|-(?:[/?#]|$))[\w.-]+?"
"""The path of a project, in groups of any depth."""
_ISSUE = re.compile(
    rf"(?P<project>{PROJECT})/(?:-/)?(?:issues|work_items)/(?:incident/)?(?P<number>[1-9]\d{{0,9}})(?:[/?#].*)?",
    re.ASCII,
)
_LIKE_GITLAB = re.compile(
    r"https?://(?P<host>[a-z0-9.-]+(?::\d{1,5})?)/\S+/-/(?:issues|work_items)/\d+\S*", re.ASCII | re.IGNORECASE
)
"""The address of an issue on any GitLab server: no other program has `/-/` there."""


@dataclass(frozen=True, slots=True)
class GitLabAddress:
    """A project on a server, and the number of an issue there (0: the project itself)."""

    server: str
    """Scheme, host, port and path of the server, without a slash at its end."""
    repository: str
    """Path of the project with its groups, such as `group/sub/project`."""
    number: int = 0

    @property
    def url(self) -> str:
        """The project's URL, for browsers and for git."""
        return f"{self.server}/{self.repository}"

    @property
    def issue_url(self) -> str:
        return f"{self.url}/-/issues/{self.number}"

    @property
    def api(self) -> str:
        """The root of the server's REST API."""
        return f"{self.server}/api/v4"

    @property
    def path(self) -> str:
        """The project in the API."""
        return f"/projects/{quote(self.repository, safe='')}"

    @property
    def token(self) -> str:
        """The user's token for this server and no other; "" without one. GITLAB_TOKEN is for the server that
        GITLAB_HOST names (gitlab.com if it is not set)."""
        return os.environ.get("GITLAB_TOKEN", "").strip() if self.server == own_server() else ""

    @property
    def token_name(self) -> str:
        """The environment variables that hold the token."""
        own = self.server == own_server()
        return "GITLAB_TOKEN" if own else f"GITLAB_HOST={self.server.partition('://')[2]} and GITLAB_TOKEN"


def address_of(url: str) -> GitLabAddress:
    """Parse the URL of an issue. Raises UsageError for other URLs and for unknown servers."""
    if address := find_address(url):
        return address
    match = _LIKE_GITLAB.fullmatch(url.strip())
    known = [server.split("/")[2] for server in known_servers()]
    if match and (host := match["host"].lower().removeprefix("www.")) not in known:
        raise UsageError(f"{host} is not known as a GitLab server.", f"If it is one, set GITLAB_HOST={host}.")
    raise UsageError(f"{url} is not the address of an issue.", f"Give {own_server()}/GROUP/PROJECT/-/issues/N.")


def find_address(url: str) -> GitLabAddress | None:
    """Return the address of an issue on a known server, or None."""
    whole = _normal(url)
    for server in known_servers():
        if whole.startswith(f"{server}/") and (match := _ISSUE.fullmatch(whole[len(server) + 1 :])):
            return GitLabAddress(server, match["project"], int(match["number"]))
    return None


def serves(url: str) -> bool:
    """Whether a URL is on GitLab, or on a server that the user named or, as its form shows, has to name."""
    is_known = any(_normal(url).startswith(f"{server}/") for server in known_servers())
    return is_known or _LIKE_GITLAB.fullmatch(url.strip()) is not None


def known_servers() -> tuple[str, ...]:
    """Return the servers to which requests may be sent: the one that the environment names, and gitlab.com."""
    return tuple(dict.fromkeys((own_server(), GITLAB)))


def _normal(url: str) -> str:
    """Return a URL with its scheme and host in lower case, without `www.`."""
    scheme, mark, rest = url.strip().partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}{mark}{host.lower().removeprefix('www.')}{slash}{path}"


def own_server() -> str:
    """Return the server that the environment names, else gitlab.com. A name without a scheme is one with https."""
    named = os.environ.get("GITLAB_HOST", "").strip()
    if not named and os.environ.get("GITLAB_CI"):
        named = os.environ.get("CI_SERVER_URL", "").strip()
    return _normal(named if "://" in named else f"https://{named}").rstrip("/") if named else GITLAB
