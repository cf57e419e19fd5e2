"""Earlier issues and pull requests as they were at the base's date, read through GitHub's GraphQL API."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agent.inputs.github_urls import address_of
from extensions.github.api.past_items import fetch_past_items
from tests.github_server import Hub, Repo
from trajectories.errors import ConfigError, TryLater
from trajectories.records import PastItem

BASE = "2026-03-01T00:00:00Z"
EARLY, LATE = "2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z"


@pytest.fixture(autouse=True)
def ada(sign_in: Callable[..., None]) -> None:
    sign_in("ada")


def read(repo: Repo, *numbers: int, about: int = 99) -> list[PastItem]:
    return list(fetch_past_items(address_of(f"{repo.url}/issues/{about}"), numbers, BASE))


def test_item_is_read_as_it_was_at_the_date(repo: Repo) -> None:
    issue = repo.issue("Sums are off", "In `add`.", at=EARLY)
    issue.comment("bob", "Since 1.2.<!-- hidden -->", at=EARLY).edit("Fixed by `carry`.", at=LATE)
    issue.comment("eve", "It is `carry`.", at=LATE)
    issue.edit(body="In `add` of core.py.", at="2026-02-01T00:00:00Z")
    issue.edit(title="carry() is off", body="In `carry`.", at=LATE)
    assert read(repo, issue.number) == [PastItem(1, "Sums are off", "In `add` of core.py.\n\nSince 1.2.")]


def test_item_is_left_out_if_its_earlier_text_is_lost(repo: Repo) -> None:
    lost, later = repo.issue("Lost", "a", at=EARLY), repo.issue("Later", "b", at=BASE)
    lost.edit(body="with the fix", at=LATE)
    del lost.edits[0]
    assert read(repo, lost.number, later.number, 77) == []


@pytest.mark.parametrize(
    ("body", "merged", "kept"),
    [
        ("Rounds.", "2026-02-01T00:00:00Z", True),
        ("Rounds.", LATE, False),
        ("Rounds.", "", False),
        ("Fixes #99.", "2026-02-01T00:00:00Z", False),
        ("Resolves: octo/calc#99", "2026-02-01T00:00:00Z", False),
        ("Fixes #999.", "2026-02-01T00:00:00Z", True),
    ],
)
def test_only_pull_request_that_was_merged_and_is_no_fix_is_read(
    repo: Repo, body: str, merged: str, kept: bool
) -> None:
    pull = repo.pull(head="a", title="Round", body=body, at=EARLY)
    if merged:
        pull.merge(at=merged)
    assert [item.number for item in read(repo, pull.number)] == [pull.number] * kept


def test_fix_that_was_hidden_by_an_edit_is_left_out(repo: Repo) -> None:
    pull = repo.pull(head="a", title="Round", body="Fixes #99.", at=EARLY)
    pull.merge(at="2026-02-01T00:00:00Z")
    pull.edit(body="Rounds.", at=LATE)
    assert read(repo, pull.number) == []


def test_all_pages_and_mentioned_items_are_read_without_the_issue(hub: Hub, repo: Repo) -> None:
    issue = repo.issue("The issue", at=EARLY)
    many = repo.issue("Many comments", f"See #{issue.number}.", at=EARLY)
    for number in range(120):
        many.comment("bob", f"comment {number}", at=EARLY)
    other = repo.issue("Other", "text", at=EARLY)
    for number in range(10, 25):
        repo.issue(f"Issue {number}", at=EARLY)
    many.comments[110].body = "Like #13, see #14."
    found = read(repo, issue.number, many.number, other.number, about=issue.number)
    assert [item.number for item in found] == [2, 3, 13, 14]
    assert "comment 119" in found[0].text
    assert len(hub.requests) == 4  # the items, two pages, the mentioned items


def test_without_token_nothing_is_asked(hub: Hub, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_TOKEN")
    assert read(repo, repo.issue("A", at=EARLY).number) == []
    assert hub.requests == []


def test_refusals_are_errors_with_advice(hub: Hub, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    number = repo.issue("A", at=EARLY).number
    hub.rate("t-ada")
    with pytest.raises(TryLater, match="rate limit"):
        read(repo, number)
    hub.rate("t-ada", remaining=99)
    hub.secondary("POST", "/graphql", retry_after=None)
    with pytest.raises(TryLater, match="too many requests"):
        read(repo, number)
    hub.fault("POST", "/graphql", status=200, body={"data": {"repository": {f"i{number}": {"createdAt": EARLY}}}})
    with pytest.raises(TryLater, match="invalid"):
        read(repo, number)
    monkeypatch.setenv("GITHUB_TOKEN", "wrong")
    with pytest.raises(ConfigError, match="rejects the token"):
        read(repo, number)
