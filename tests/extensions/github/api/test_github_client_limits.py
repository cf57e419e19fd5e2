"""GitHub's rate limits, and conditional requests. Requests must match its API description."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agent.inputs.github_urls import address_of
from extensions.github.api.github_client import connect
from extensions.github.api.github_issue import fetch_issue
from extensions.github.api.response_cache import Reader
from tests.extensions.github.api.test_github_client_hostile import fetch_error
from tests.github_server import Hub, Repo
from trajectories.errors import TryLater, UsageError

# Rate limits


@pytest.mark.parametrize("status", [403, 429])
def test_used_up_rate_limit_is_reported(hub: Hub, repo: Repo, sign_in: Callable[..., None], status: int) -> None:
    issue = repo.issue("Boom")
    hub.rate(status=status)
    error = fetch_error(issue.url)
    assert isinstance(error, TryLater)
    assert "60 requests an hour" in error.message
    assert "GITHUB_TOKEN" in error.fix
    sign_in("ada")
    assert fetch_issue(issue.url).title == "Boom"
    hub.rate("t-ada", status=status)
    error = fetch_error(repo.issue("Bang").url)
    assert "5000 requests an hour" in error.message
    assert "GITHUB_TOKEN" not in error.fix


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize("retry_after", [None, 600])
def test_long_secondary_limit_is_reported(hub: Hub, repo: Repo, retry_after: int | None, status: int) -> None:
    hub.secondary("GET", "/issues/1$", retry_after=retry_after, status=status, times=9)
    error = fetch_error(repo.issue("Boom").url)
    assert isinstance(error, TryLater)
    assert ("600 seconds" if retry_after else "a minute") in error.message
    assert len(hub.requests) == 1


def test_short_secondary_limit_is_waited_for(hub: Hub, repo: Repo) -> None:
    hub.secondary("GET", "/issues/1$", retry_after=0)
    assert fetch_issue(repo.issue("Boom").url).title == "Boom"


def test_retries_end_under_permanent_limit(hub: Hub, repo: Repo) -> None:
    hub.secondary("GET", "/issues/1$", retry_after=0, times=99)
    assert isinstance(fetch_error(repo.issue("Boom").url), TryLater)
    assert len(hub.requests) == 3


# Cache


def test_unchanged_issue_uses_no_quota(hub: Hub, repo: Repo, sign_in: Callable[..., None]) -> None:
    sign_in("ada")
    issue = repo.issue("Boom", "It breaks.")
    issue.comment("bob", "Yes.")
    first, used = fetch_issue(issue.url), hub.quotas["t-ada"].used
    assert fetch_issue(issue.url) == first
    assert hub.quotas["t-ada"].used == used
    assert [request.status for request in hub.requests[-3:]] == [304, 304, 304]


def test_edits_are_read(repo: Repo) -> None:
    issue = repo.issue("Boom", "It breaks.")
    comment = issue.comment("bob", "Yes.")
    fetch_issue(issue.url)
    issue.edit(body="It works.")
    comment.edit("No.")
    result = fetch_issue(issue.url)
    assert (result.body, result.comments[0].body) == ("It works.", "No.")


@pytest.mark.slow
@pytest.mark.parametrize("before", [99, 100, 200])
def test_comment_on_new_page_is_read(repo: Repo, before: int) -> None:
    """The first page and its ETag stay the same."""
    issue = repo.issue("Boom")
    for n in range(before):
        issue.comment("bob", f"comment {n}")
    fetch_issue(issue.url)
    issue.comment("ada", "The last word.")
    assert fetch_issue(issue.url).comments[-1].body == "The last word."


def test_requests_without_cache_are_unconditional(hub: Hub, repo: Repo) -> None:
    address = address_of(repo.issue("Boom").url)
    fetch_issue(address.issue_url)
    reader = Reader(connect(address), address, kept=False)
    assert reader.get(f"/repos/{address.repository}/issues/1")["title"] == "Boom"
    assert "if-none-match" not in hub.requests[-1].headers
    assert hub.requests[-1].status == 200


def test_cache_is_not_shared_between_tokens(hub: Hub, repo: Repo, sign_in: Callable[..., None]) -> None:
    repo.private = True
    repo.permissions["ada"] = "read"
    issue = repo.issue("Hush")
    sign_in("ada")
    fetch_issue(issue.url)
    sign_in("eve")
    assert isinstance(fetch_error(issue.url), UsageError)
    sign_in("ada")
    del repo.permissions["ada"]
    assert isinstance(fetch_error(issue.url), UsageError)
