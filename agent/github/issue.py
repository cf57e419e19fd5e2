"""An issue from GitHub's REST API, read with the user's token if there is one (GITHUB_TOKEN or GH_TOKEN)."""

from __future__ import annotations

import json
import os
import re
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from trajectories.errors import ConfigError, TryLater, UsageError
from trajectories.records import Issue

TIMEOUT = 30.0
MOST_BYTES = 5_000_000
MEMBERS = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})
ADDRESS = re.compile(r"https?://(?P<host>[^/]+)/(?P<repo>[\w.-]+/[\w.-]+)/issues/(?P<number>\d+)(?:[/?#].*)?")
IMAGE = re.compile(r"!\[[^\]]*\]\((https?://[^\s)]+)")


def fetch_issue(url: str) -> Issue:
    """The issue at `url`. GITHUB_API_URL names another server's API, as in GitHub's own actions.

    Raises UsageError for what is not an issue, ConfigError for a missing right, TryLater when GitHub does not answer.
    """
    match = ADDRESS.fullmatch(url.strip())
    if match is None:
        raise UsageError(f"{url} is not the address of a GitHub issue.", "Give https://github.com/OWNER/NAME/issues/N.")
    found = _get(f"{_api(match['host'])}/repos/{match['repo']}/issues/{match['number']}", url)
    body = found.get("body") or ""
    return Issue(
        title=str(found.get("title", "")),
        body=body,
        url=url,
        author=str((found.get("user") or {}).get("login", "")),
        trust="member" if found.get("author_association") in MEMBERS else "stranger",
        images=tuple(IMAGE.findall(body)),
    )


def _api(host: str) -> str:
    given = os.environ.get("GITHUB_API_URL", "").rstrip("/")
    return given or ("https://api.github.com" if host == "github.com" else f"https://{host}/api/v3")


def _get(address: str, url: str) -> dict[str, Any]:
    request = Request(address, headers={"Accept": "application/vnd.github+json", "User-Agent": "swe-agent"})
    if token := os.environ.get("GITHUB_TOKEN") or os.environ.get("GH_TOKEN"):
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    try:
        with urlopen(request, timeout=TIMEOUT) as answer:
            found: dict[str, Any] = json.loads(answer.read(MOST_BYTES))
            return found
    except HTTPError as error:
        error.close()
        if error.code in (404, 410):
            raise UsageError(
                f"There is no issue at {url}, or it is private.", "Check it, or set GITHUB_TOKEN."
            ) from None
        if error.code == 401:
            raise ConfigError("GitHub does not take the token.", "Set GITHUB_TOKEN anew, or unset it.") from None
        raise TryLater(
            f"GitHub answered {error.code} for {url}.", "Wait, or set GITHUB_TOKEN for a higher limit."
        ) from None
    except (URLError, TimeoutError, ValueError) as error:
        raise TryLater(f"GitHub could not be reached for {url}: {error}.", "Try again, or use --issue-file.") from None
