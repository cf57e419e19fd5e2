"""Where things are on GitHub: addresses of issues and pull requests, the server's API, the token for it.

`github.com`, hosts of GitHub Enterprise, and the server that GITHUB_SERVER_URL names, as in GitHub's own actions.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from trajectories.errors import UsageError

GITHUB = "https://github.com"
ADDRESS = re.compile(
    r"(?P<server>https?://(?P<host>[\w.-]+(?::\d+)?))/(?P<repo>[\w.-]+/[\w.-]+)/(?:issues|pull)/(?P<number>\d{1,10})"
    r"(?:[/?#].*)?"
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
        if self.server == _own_server() and (api := os.environ.get("GITHUB_API_URL")):
            return api.rstrip("/")
        host = self.server.partition("://")[2]
        if self.server == GITHUB:
            return "https://api.github.com"
        return f"https://api.{host}" if host.endswith(".ghe.com") else f"{self.server}/api/v3"

    @property
    def url(self) -> str:
        """Of the repository, for people and for git."""
        return f"{self.server}/{self.repository}"

    @property
    def issue_url(self) -> str:
        return f"{self.url}/issues/{self.number}"

    @property
    def token(self) -> str:
        """The user's token for this server and no other; "" without one. GITHUB_TOKEN and GH_TOKEN are for
        github.com, or in an action for the server it runs on; GH_ENTERPRISE_TOKEN is for all others."""
        own = (
            self.server in (GITHUB, _own_server())
            if not os.environ.get("GITHUB_ACTIONS")
            else (self.server == _own_server())
        )
        names = ("GITHUB_TOKEN", "GH_TOKEN") if own else ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
        return next(filter(None, map(os.environ.get, names)), "")


def address_of(url: str) -> Address:
    """What the address of an issue or a pull request names. Raises UsageError for anything else, and for http, but
    where GITHUB_SERVER_URL says so."""
    match = ADDRESS.fullmatch(url.strip())
    if match is None or (match["server"].startswith("http:") and match["server"] != _own_server()):
        raise UsageError(f"{url} is not the address of an issue.", f"Give {_own_server()}/OWNER/NAME/issues/N.")
    return Address(match["server"], match["repo"], int(match["number"]))


def own_repository() -> Address:
    """The repository in which an action runs. Raises UsageError outside of one."""
    name = os.environ.get("GITHUB_REPOSITORY", "")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise UsageError("GITHUB_REPOSITORY names no repository.", "This command is for GitHub Actions.")
    return Address(_own_server(), name)


def _own_server() -> str:
    return (os.environ.get("GITHUB_SERVER_URL") or GITHUB).rstrip("/")
