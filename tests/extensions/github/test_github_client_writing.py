"""Writing to GitHub when it refuses requests, limits their rate or fails. Requests must match its API description."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.inputs.github_urls import Address
from extensions.github.action import status_comment
from extensions.github.action.review_reply import reply
from extensions.github.action.spend_record import Charge
from extensions.github.api.github_client import repository
from extensions.github.pull_request.pull_requests import open_pull
from extensions.github.task.task_request import TaskRequest
from tests.conftest import git
from tests.github_server import Hub, Repo
from trajectories.errors import ConfigError, SweAgentError, TryLater, UsageError
from trajectories.records import Issue

BOT = "github-actions[bot]"


@pytest.fixture
def api(hub: Hub, repo: Repo, sign_in: Callable[..., None], tmp_path: Path) -> Any:
    """octo/calc as the Action accesses it, with a commit on main and one more on swe-agent/issue-1."""
    work = tmp_path / "work"
    git(tmp_path, "init", "-q", "-b", "main", str(work))
    git(work, "commit", "-q", "--allow-empty", "-m", "The first commit")
    git(work, "push", "-q", str(repo.git), "main")
    git(work, "commit", "-q", "--allow-empty", "-m", "Fixed")
    git(work, "push", "-q", str(repo.git), "main:swe-agent/issue-1")
    sign_in(BOT, issues="write", pull_requests="write", contents="write")
    return repository(Address(hub.url, repo.full_name))


HEAD = "octo:swe-agent/issue-1"


def open_draft(api: Any, body: str = "Fixes #1") -> Any:
    return open_pull(api, HEAD, "main", "Fixed — 💥", body)


def test_draft_is_opened_once(api: Any, repo: Repo, hub: Hub) -> None:
    issue = repo.issue("Boom")
    opened = open_draft(api, "Fixes #1\r\n\r\n" + "é" * 60_000)
    assert (opened.number, opened.url, opened.draft, opened.note) == (2, repo.pulls[0].url, True, "")
    assert (repo.pulls[0].title, repo.pulls[0].author.login, len(repo.pulls[0].body or "")) == (
        "Fixed — 💥",
        BOT,
        60_012,
    )
    assert issue.events[-1]["source"] is repo.pulls[0]
    assert open_draft(api) == opened
    assert len(repo.pulls) == 1


def test_pull_request_opened_meanwhile_is_used(api: Any, repo: Repo, hub: Hub) -> None:
    existing = repo.pull("swe-agent/issue-1", author=BOT)
    hub.fault("GET", "/pulls$", status=200, body=[])
    assert open_draft(api).number == existing.number


def test_ordinary_pull_request_is_opened_without_draft_support(api: Any, repo: Repo) -> None:
    repo.drafts = False
    opened = open_draft(api)
    assert (opened.draft, repo.pulls[0].draft) == (False, False)
    assert opened.note


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda repo: setattr(repo, "actions_may_open_pulls", False), ConfigError, "not permitted to create"),
        (lambda repo: setattr(repo, "archived", True), ConfigError, "archived"),
        (lambda repo: git(repo.git, "update-ref", "-d", "refs/heads/main"), UsageError, "base"),
        (lambda repo: git(repo.git, "update-ref", "-d", "refs/heads/swe-agent/issue-1"), UsageError, "head"),
        (lambda repo: git(repo.git, "update-ref", "refs/heads/main", "swe-agent/issue-1"), UsageError, "No commits"),
        (lambda repo: repo.rename("abacus"), UsageError, "has changed on GitHub"),
    ],
    ids=["setting", "archived", "base", "head", "same", "renamed"],
)
def test_refused_pull_request_raises_error(
    api: Any, repo: Repo, change: Callable[[Repo], Any], error: type[SweAgentError], message: str
) -> None:
    change(repo)
    with pytest.raises(error) as caught:
        open_draft(api)
    assert message in caught.value.message
    assert repo.pulls == []


@pytest.mark.parametrize("target", ["pull", "comment"])
def test_missing_write_permission_is_named(api: Any, repo: Repo, sign_in: Callable[..., None], target: str) -> None:
    repo.issue("Boom")
    sign_in(BOT, issues="read", pull_requests="read")
    with pytest.raises(ConfigError) as caught:
        open_draft(api) if target == "pull" else status_comment.update_comment(
            api, status_comment.StatusComment(1), "Hello."
        )
    assert ("`pull-requests: write`" if target == "pull" else "`issues: write`") in caught.value.fix


def test_comment_on_renamed_repository_is_refused(api: Any, repo: Repo) -> None:
    issue = repo.issue("Boom")
    repo.rename("abacus")
    for comment_id in (0, 17):
        with pytest.raises(UsageError, match="has changed on GitHub"):
            status_comment.update_comment(api, status_comment.StatusComment(1, comment_id), "Hello.")
    assert issue.comments == []


def test_html_answer_is_not_taken_for_pull_request(api: Any, repo: Repo, hub: Hub) -> None:
    hub.fault("POST", "/pulls$", status=200, raw=b"<html>", headers={"Content-Type": "text/html"})
    with pytest.raises(TryLater, match="invalid answer"):
        open_draft(api)


def test_write_is_not_repeated_after_server_error(api: Any, repo: Repo, hub: Hub) -> None:
    repo.issue("Boom")
    for path in (r"/pulls$", r"/comments$"):
        hub.fault("POST", path, status=502, times=9)
    with pytest.raises(TryLater):
        open_draft(api)
    with pytest.raises(TryLater):
        status_comment.update_comment(api, status_comment.StatusComment(1), "Hello.")
    assert len(hub.writes) == 2


def test_write_is_repeated_after_rate_limit(api: Any, repo: Repo, hub: Hub) -> None:
    repo.issue("Boom")
    for path in (r"/pulls$", r"/comments$"):
        hub.secondary("POST", path, retry_after=0)
    assert open_draft(api).number == 2
    assert status_comment.update_comment(api, status_comment.StatusComment(1), "Hello.").id
    assert (len(repo.pulls), len(repo.numbered[1].comments)) == (1, 1)


def test_status_comment_is_updated_in_place(api: Any, repo: Repo) -> None:
    issue = repo.issue("Boom")
    for n in range(31):
        issue.comment("bob", f"comment {n}")
    charge = Charge("7000000001", "2026-01-31T10:00:00Z", 2.0)
    status_comment.hold(api, status_comment.find(api, 1, BOT), "Working on it 💪\r\n", charge)
    status_comment.settle(api, status_comment.find(api, 1, BOT), "Done: #2.", charge.run, 0.25, pull=2)
    comments = [comment for comment in issue.comments if comment.author.login == BOT]
    assert len(comments) == 1
    assert "Done: #2." in comments[0].body
    assert status_comment.find(api, 1, BOT).charges[0].spent == 0.25
    comments[0].delete()
    assert (
        status_comment.update_comment(api, status_comment.StatusComment(1, comments[0].id), "Again.").id
        != comments[0].id
    )


@pytest.mark.parametrize("text", ["x" * 65_536, "💥" * 65_536, "a\r\n" * 40_000])
def test_long_comment_is_shortened(api: Any, repo: Repo, text: str) -> None:
    issue = repo.issue("Boom")
    status_comment.update_comment(api, status_comment.StatusComment(1), text)
    assert len(issue.comments[0].body) <= 65_536


def test_only_writers_may_comment_on_locked_issue(api: Any, repo: Repo, sign_in: Callable[..., None], hub: Hub) -> None:
    repo.issue("Boom").lock()
    assert status_comment.update_comment(api, status_comment.StatusComment(1), "Hello.").id
    sign_in("eve")
    eve = repository(Address(hub.url, repo.full_name))
    with pytest.raises(ConfigError, match="locked"):
        status_comment.update_comment(eve, status_comment.StatusComment(1), "Hello.")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda hub, issue: issue.delete(), UsageError, "This issue was deleted"),
        (lambda hub, issue: issue.transfer(hub.repo("octo/parser")), UsageError, "has changed on GitHub"),
        (lambda hub, issue: issue.transfer(hub.repo("octo/secret", private=True)), UsageError, "answers 404"),
        (lambda hub, issue: setattr(issue.repo, "has_issues", False), UsageError, "disabled"),
        (lambda hub, issue: setattr(issue.repo, "archived", True), ConfigError, "archived"),
        (lambda hub, issue: hub.rate(f"t-{BOT}"), TryLater, "5000 requests an hour"),
        (lambda hub, issue: hub.secondary("*", "", retry_after=None), TryLater, "requests a pause of"),
        (lambda hub, issue: hub.tokens.clear(), ConfigError, "rejects the token"),
        (lambda hub, issue: hub.fault("*", "", status=200, raw=b"<html>", times=9), TryLater, "invalid answer"),
    ],
    ids=["deleted", "transferred", "hidden", "disabled", "archived", "hour", "secondary", "token", "html"],
)
def test_refused_comment_raises_error(
    api: Any, hub: Hub, repo: Repo, change: Callable[[Hub, Any], Any], error: type[SweAgentError], message: str
) -> None:
    issue = repo.issue("Boom")
    change(hub, issue)
    with pytest.raises(error) as caught:
        status_comment.update_comment(api, status_comment.StatusComment(1), "Hello.")
    assert message in caught.value.message
    assert issue.comments == []


def test_review_reply_is_posted_once(api: Any, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_RUN_ID", "7000000001")
    pull = repo.pull("swe-agent/issue-1", author=BOT)
    first = pull.review_comment("ada", "Why? 🤔", "src/a.py", 3)
    pull.review_comment("ada", "/swe-agent why", "src/a.py", 3, reply_to=first)
    fields: dict[str, Any] = {"issue": Issue("T"), "asked_by": "ada", "at": "", "base": "", "target": "main"}
    task = TaskRequest("follow-up", "octo/calc", pull.number, **fields, budget=1.0, reply_to=first.id)
    for _ in range(2):
        assert reply(api, task, BOT, "Because.") == pull.review[2].url
    assert [comment.reply_to for comment in pull.review[1:]] == [first, first]
    monkeypatch.setenv("GITHUB_RUN_ID", "7000000002")
    first.delete()
    with pytest.raises(UsageError):
        reply(api, task, BOT, "Still.")
