"""An issue from GitHub's REST API, read with the user's token if there is one (GITHUB_TOKEN or GH_TOKEN)."""

from __future__ import annotations

import json
import os
import re
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from trajectories.errors import ConfigError, SweAgentError, TryLater, UsageError
from trajectories.records import Issue

API = "https://api.github.com"
TIMEOUT = 30.0
MOST_BYTES = 5_000_000
MEMBERS = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})
ADDRESS = re.compile(r"https://(?P<host>[^/]+)/(?P<repo>[\w.-]+/[\w.-]+)/issues/(?P<number>\d+)(?:[/?#].*)?")
IMAGE = re.compile(r"!\[[^\]]*\]\((https?://[^\s)]+)")


def fetch_issue(url: str) -> Issue:
    """The issue at `url`. GITHUB_SERVER_URL and GITHUB_API_URL name another server, as in GitHub's own actions.

    Raises UsageError for what is not an issue there, ConfigError for a missing right, TryLater when GitHub does not
    answer. The token goes to that server only.
    """
    match = ADDRESS.fullmatch(url.strip())
    server = os.environ.get("GITHUB_SERVER_URL") or "https://github.com"
    if match is None or f"https://{match['host']}" != server.rstrip("/"):
        raise UsageError(f"{url} is not the address of an issue on {server}.", f"Give {server}/OWNER/NAME/issues/N.")
    api = os.environ.get("GITHUB_API_URL") or (API if server == "https://github.com" else f"{server}/api/v3")
    found = _get(f"{api.rstrip('/')}/repos/{match['repo']}/issues/{match['number']}", url)
    title, body = str(found.get("title") or "").strip(), str(found.get("body") or "")
    if not title and not body.strip():
        raise UsageError(f"The issue at {url} is empty.", "Write what goes wrong and what should happen.")
    user = found.get("user")
    return Issue(
        title=title,
        body=body,
        url=url,
        author=str(user.get("login", "")) if isinstance(user, dict) else "",
        trust="member" if found.get("author_association") in MEMBERS else "stranger",
        images=tuple(IMAGE.findall(body)),
    )


def _get(address: str, url: str) -> dict[str, Any]:
    request = Request(address, headers={"Accept": "application/vnd.github+json", "User-Agent": "swe-agent"})
    if token := os.environ.get("GITHUB_TOKEN") or os.environ.get("GH_TOKEN"):
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    try:
        with urlopen(request, timeout=TIMEOUT) as answer:
            found = json.loads(answer.read(MOST_BYTES))
    except HTTPError as error:
        with error:
            raise _refused(error, url) from None
    except (OSError, ValueError) as error:
        raise TryLater(f"GitHub could not be reached for {url}: {error}.", "Try again, or use --issue-file.") from None
    if not isinstance(found, dict):
        raise TryLater(f"GitHub's answer for {url} is not an issue.", "Try again, or use --issue-file.")
    return found


def _refused(error: HTTPError, url: str) -> SweAgentError:
    if error.code in (404, 410):
        return UsageError(f"There is no issue at {url}, or it is private.", "Check it, or set GITHUB_TOKEN.")
    if error.code == 401 or (error.code == 403 and error.headers.get("x-ratelimit-remaining") != "0"):
        return ConfigError(f"GitHub does not let you read {url}.", "Set GITHUB_TOKEN anew, or unset it.")
    return TryLater(f"GitHub answered {error.code} for {url}.", "Wait, or set GITHUB_TOKEN for a higher limit.")
