"""Pull requests: find the open one of a branch, or open a new draft."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from extensions.github.action_inputs import PREFIX
from extensions.github.api.github_client import require_created, translate_errors

if TYPE_CHECKING:
    from github.PullRequest import PullRequest
    from github.Repository import Repository

NEEDS = "pull-requests: write"
NO_DRAFT = "This repository does not support drafts, so the pull request is an ordinary one."


@dataclass(frozen=True, slots=True)
class OpenedPullRequest:
    """A pull request; `note` tells the user how it was opened."""

    number: int
    url: str
    draft: bool
    note: str = ""


def branches(number: int) -> Iterator[str]:
    """Yield names for an issue's branch, in the order in which they are tried."""
    first = f"{PREFIX}issue-{number}"
    yield first
    yield from (f"{first}-{n}" for n in count(2))


def pull_from(repository: Repository, head: str, commit: str = "") -> PullRequest | None:
    """Return the latest pull request from `head` (`owner:branch`) that is open or has this commit as its head."""
    with translate_errors("look for a pull request", "pull-requests: read"):
        found = repository.get_pulls(state="all", head=head)
        own = (pull for pull in found if f"{_owner(pull)}:{pull.head.ref}" == head)
        return next((pull for pull in own if pull.state == "open" or pull.head.sha == commit), None)


def open_pull(repository: Repository, head: str, target: str, title: str, body: str) -> OpenedPullRequest:
    """Open a draft to merge `head` (`owner:branch`) into the branch `target`, or return the one that is open already.

    Raises what `translate_errors` raises.
    """
    if pull := pull_from(repository, head):
        return OpenedPullRequest(pull.number, pull.html_url, pull.draft)
    try:
        pull, note = _create(repository, head, target, title, body, True), ""
    except _NoDrafts:
        pull, note = _create(repository, head, target, title, body, False), NO_DRAFT
    return OpenedPullRequest(pull.number, pull.html_url, pull.draft, note)


class _NoDrafts(Exception):
    pass


def _create(repository: Repository, head: str, target: str, title: str, body: str, draft: bool) -> PullRequest:
    from github import GithubException

    with translate_errors("open a pull request", NEEDS):
        try:
            return require_created(repository.create_pull(base=target, head=head, title=title, body=body, draft=draft))
        except GithubException as error:
            said = str(error.data).lower()
            if draft and error.status == 422 and "draft" in said:
                raise _NoDrafts from None
            if error.status == 422 and "already exists" in said and (pull := pull_from(repository, head)):
                return pull
            raise


def _owner(pull: PullRequest) -> str:
    return pull.head.label.partition(":")[0] if ":" in pull.head.label else pull.head.user.login
