"""The changes that a pull request proposes: its commits in a clone, and the issue that it closes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aci.repository.clone import clone, has_commit, update_clone
from aci.repository.user_repository import Repository
from agent.inputs.github_urls import Address, address_of
from extensions.github.api.github_client import connect, translate_errors
from extensions.github.api.response_cache import Reader
from trajectories.errors import TryLater, UsageError

CLOSES = r"\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):?[ \t]+"
"""Pattern of the keywords with which a pull request closes an issue, in any case."""
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class ProposedChanges:
    """A pull request: the commits of its target branch and its head, and the URL of the issue that it closes, or ""."""

    address: Address
    target: str
    head: str
    issue: str


def fetch_proposed_changes(url: str) -> ProposedChanges:
    """Return the commits of the pull request at `url`. Raises what `fetch_issue` raises."""
    if "/pull/" not in url:
        raise UsageError(f"{url} is not the address of a pull request.", "Give https://github.com/OWNER/NAME/pull/N.")
    address = address_of(url)
    client = connect(address)
    reader = Reader(client, address, kept=False)
    try:
        with translate_errors(f"read {url}", "pull-requests: read", address.token_name):
            data = reader.get(f"/repos/{address.repository}/pulls/{address.number}")
    finally:
        reader.close()
        client.close()
    if not isinstance(data, Mapping):
        raise TryLater(f"GitHub's answer for {url} is not a pull request.", "Try again.")
    target, head = (_commit(data.get(name)) for name in ("base", "head"))
    if not target or not head:
        raise TryLater(f"GitHub's answer for {url} has no commits.", "Try again.")
    return ProposedChanges(address, target, head, _closed_issue(data, address))


def open_clone(changes: ProposedChanges, folder: Path) -> Repository:
    """Return a clone below `folder` that has the commits of the pull request. Raises what `clone` raises."""
    address = changes.address
    url = f"{address.url}.git"
    place = clone(url, folder, address.token)
    for commit in (changes.target, changes.head):
        if not has_commit(place, commit) and not update_clone(url, place, commit, address.token):
            raise UsageError(f"{address.url} no longer has the commit {commit[:10]}.", "Reload the pull request.")
    return Repository.open(place)


def _commit(side: object) -> str:
    sha = side.get("sha") if isinstance(side, Mapping) else None
    return sha if isinstance(sha, str) and COMMIT.fullmatch(sha) else ""


def _closed_issue(data: Mapping[str, Any], address: Address) -> str:
    """Return the URL of the issue in the same repository that the pull request says it closes, or ""."""
    where = rf"(?:(?:{re.escape(address.repository)})?#|{re.escape(address.url)}/issues/)(?P<number>[1-9]\d{{0,9}})\b"
    text = f"{data.get('title') or ''}\n{data.get('body') or ''}"
    found = re.search(CLOSES + where, text, re.IGNORECASE)
    return f"{address.url}/issues/{found['number']}" if found else ""
