"""What reading costs: GitHub's limits, and what was read before; held against its description of the API."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agent.github.api.github_client import connect
from agent.github.api.github_issue import fetch_issue
from agent.github.api.github_urls import address_of
from agent.github.api.response_cache import Reader
from tests.agent.github.api.test_github_client_hostile import refusal
from tests.github_server import Hub, Repo
from trajectories.errors import TryLater, UsageError

# Limits


@pytest.mark.parametrize("status", [403, 429])
def test_hour_is_used_up(hub: Hub, repo: Repo, as_: Callable[..., None], status: int) -> None:
    issue = repo.issue("Boom")
    hub.rate(status=status)
    error = refusal(issue.url)
    assert isinstance(error, TryLater)
    assert "60 requests an hour" in error.message
    assert "GITHUB_TOKEN" in error.fix
    as_("ada")
    assert fetch_issue(issue.url).title == "Boom"
    hub.rate("t-ada", status=status)
    error = refusal(repo.issue("Bang").url)
    assert "5000 requests an hour" in error.message
    assert "GITHUB_TOKEN" not in error.fix


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize("retry_after", [None, 600])
def test_secondary_limit_with_long_wait(hub: Hub, repo: Repo, retry_after: int | None, status: int) -> None:
    hub.secondary("GET", "/issues/1$", retry_after=retry_after, status=status, times=9)
    error = refusal(repo.issue("Boom").url)
    assert isinstance(error, TryLater)
    assert ("600 seconds" if retry_after else "a minute") in error.message
    assert len(hub.requests) == 1


def test_secondary_limit_with_short_wait_is_waited_for(hub: Hub, repo: Repo) -> None:
    hub.secondary("GET", "/issues/1$", retry_after=0)
    assert fetch_issue(repo.issue("Boom").url).title == "Boom"


def test_limits_that_do_not_end(hub: Hub, repo: Repo) -> None:
    hub.secondary("GET", "/issues/1$", retry_after=0, times=99)
    assert isinstance(refusal(repo.issue("Boom").url), TryLater)
    assert len(hub.requests) == 3


# What was read before


def test_what_is_as_it_was_costs_nothing(hub: Hub, repo: Repo, as_: Callable[..., None]) -> None:
    as_("ada")
    issue = repo.issue("Boom", "It breaks.")
    issue.comment("bob", "Yes.")
    first, used = fetch_issue(issue.url), hub.quotas["t-ada"].used
    assert fetch_issue(issue.url) == first
    assert hub.quotas["t-ada"].used == used
    assert [request.status for request in hub.requests[-3:]] == [304, 304, 304]


def test_what_changed_is_read_anew(repo: Repo) -> None:
    issue = repo.issue("Boom", "It breaks.")
    said = issue.comment("bob", "Yes.")
    fetch_issue(issue.url)
    issue.edit(body="It works.")
    said.edit("No.")
    read = fetch_issue(issue.url)
    assert (read.body, read.comments[0].body) == ("It works.", "No.")


@pytest.mark.parametrize("before", [99, 100, 200])
def test_page_that_came_later_is_seen(repo: Repo, before: int) -> None:
    """The first page is what it was, and so is its ETag."""
    issue = repo.issue("Boom")
    for n in range(before):
        issue.comment("bob", f"comment {n}")
    fetch_issue(issue.url)
    issue.comment("ada", "The last word.")
    assert fetch_issue(issue.url).comments[-1].body == "The last word."


def test_without_cache_nothing_is_conditional(hub: Hub, repo: Repo) -> None:
    address = address_of(repo.issue("Boom").url)
    fetch_issue(address.issue_url)
    reader = Reader(connect(address), address, kept=False)
    assert reader.get(f"/repos/{address.repository}/issues/1")["title"] == "Boom"
    assert "if-none-match" not in hub.requests[-1].headers
    assert hub.requests[-1].status == 200


def test_nobody_gets_what_another_read(hub: Hub, repo: Repo, as_: Callable[..., None]) -> None:
    repo.private = True
    repo.permissions["ada"] = "read"
    issue = repo.issue("Hush")
    as_("ada")
    fetch_issue(issue.url)
    as_("eve")
    assert isinstance(refusal(issue.url), UsageError)
    as_("ada")
    del repo.permissions["ada"]
    assert isinstance(refusal(issue.url), UsageError)
