"""URLs on GitHub servers: those of issues, pull requests and the API; and the user's token for each server.

The supported servers are `github.com`, `*.ghe.com`, and GitHub Enterprise servers named by GITHUB_SERVER_URL (as in
GitHub Actions) or GH_HOST (as for GitHub's command line). No requests are sent to other hosts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from trajectories.errors import UsageError

GITHUB = "https://github.com"
GHE = r"https://[a-z0-9-]+\.ghe\.com"
REPOSITORY = r"[\w-]+/(?!\.{1,2}(?:[/?#]|$))[\w.-]+"
ADDRESS = re.compile(
    rf"(?P<server>https?://(?P<host>[a-z0-9.-]+(?::\d{{1,5}})?))/(?P<repo>{REPOSITORY})/(?P<kind>issues|pull)/"
    r"(?P<number>[1-9]\d{0,9})(?:[/?#].*)?",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Address:
    """A repository on a server, and the number of an issue or pull request there (0: the repository itself)."""

    server: str
    repository: str
    number: int = 0

    @property
    def api(self) -> str:
        """The root of the server's REST API."""
        if self.server == own_server() and (api := os.environ.get("GITHUB_API_URL")):
            return api.rstrip("/")
        if self.server == GITHUB:
            return "https://api.github.com"
        return f"https://api.{self.host}" if self.host.endswith(".ghe.com") else f"{self.server}/api/v3"

    @property
    def host(self) -> str:
        """The server's host, with its port if it has one."""
        return self.server.partition("://")[2]

    @property
    def url(self) -> str:
        """The repository's URL, for browsers and for git."""
        return f"{self.server}/{self.repository}"

    @property
    def issue_url(self) -> str:
        return f"{self.url}/issues/{self.number}"

    @property
    def token(self) -> str:
        """The user's token for this server and no other; "" without one.

        GITHUB_TOKEN and GH_TOKEN are for the server that GITHUB_SERVER_URL names (github.com if it is not set);
        GH_ENTERPRISE_TOKEN and GITHUB_ENTERPRISE_TOKEN are for the server that GH_HOST names.
        """
        return next(self._tokens, ("", ""))[1]

    @property
    def token_name(self) -> str:
        """The environment variable that holds the token; if there is no token, the variables to set."""
        unset = "GITHUB_TOKEN" if self.server == own_server() else f"GH_HOST={self.host} and GH_ENTERPRISE_TOKEN"
        return next(self._tokens, (unset, ""))[0]

    @property
    def _tokens(self) -> Iterator[tuple[str, str]]:
        """Pairs of an environment variable and its token for this server; the first one is used."""
        names: tuple[str, ...] = ()
        if self.server == own_server():
            names = ("GITHUB_TOKEN", "GH_TOKEN")
        elif self.server == _other_server():
            names = ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
        return ((name, token) for name in names if (token := os.environ.get(name, "").strip()))


def address_of(url: str) -> Address:
    """Parse the URL of an issue or pull request.

    Raises UsageError for other URLs, for unknown servers, and for http unless GITHUB_SERVER_URL uses it.
    """
    match = ADDRESS.fullmatch(url.strip())
    if match is None:
        raise UsageError(f"{url} is not the address of an issue.", f"Give {own_server()}/OWNER/NAME/issues/N.")
    return Address(known_server(match, "an issue"), match["repo"], int(match["number"]))


def known_server(match: re.Match[str], what: str) -> str:
    """Return the server of a matched URL. Raises UsageError for one to which no request may be sent."""
    server = match["server"].lower().replace("://www.github.com", "://github.com")
    if not is_known_server(server):
        raise UsageError(
            f"{match[0]} is not the address of {what} on GitHub.",
            f"If {match['host']} is a GitHub Enterprise server, set GH_HOST={match['host']}; for GitLab, GITLAB_HOST.",
        )
    return server


def known_servers() -> tuple[str, ...]:
    """Return the servers to which requests may be sent: GitHub and those that the environment names."""
    other = (_other_server(),) if os.environ.get("GH_HOST", "").strip() else ()
    return GITHUB, own_server(), *other


def is_known_server(server: str) -> bool:
    """Return whether requests may be sent to a server."""
    return server in known_servers() or re.fullmatch(GHE, server) is not None


def _other_server() -> str:
    return f"https://{os.environ.get('GH_HOST', '').strip().lower()}"


def own_server() -> str:
    return (os.environ.get("GITHUB_SERVER_URL") or GITHUB).rstrip("/").lower()
