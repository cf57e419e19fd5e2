"""What we write to GitHub, where it refuses, limits, and forgets; held against its description of the API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.github.action import status_comment
from agent.github.action.review_reply import reply
from agent.github.action.spend_record import Charge
from agent.github.api.github_client import repository
from agent.github.api.github_urls import Address
from agent.github.api.pull_requests import open_pull
from agent.github.task.task_request import TaskRequest
from tests.conftest import git
from tests.github_server import Hub, Repo
from trajectories.errors import ConfigError, SweAgentError, TryLater, UsageError
from trajectories.records import Issue

BOT = "github-actions[bot]"


@pytest.fixture
def ours(hub: Hub, repo: Repo, as_: Callable[..., None], tmp_path: Path) -> Any:
    """octo/calc as the Action sees it, with a commit on main and one more on swe-agent/issue-1."""
    work = tmp_path / "work"
    git(tmp_path, "init", "-q", "-b", "main", str(work))
    git(work, "commit", "-q", "--allow-empty", "-m", "The first commit")
    git(work, "push", "-q", str(repo.git), "main")
    git(work, "commit", "-q", "--allow-empty", "-m", "Mended")
    git(work, "push", "-q", str(repo.git), "main:swe-agent/issue-1")
    as_(BOT, issues="write", pull_requests="write", contents="write")
    return repository(Address(hub.url, repo.full_name))


HEAD = "octo:swe-agent/issue-1"


def opened(ours: Any, body: str = "Fixes #1") -> Any:
    return open_pull(ours, HEAD, "main", "Mended — 💥", body)


def test_draft_is_opened_once(ours: Any, repo: Repo, hub: Hub) -> None:
    issue = repo.issue("Boom")
    first = opened(ours, "Fixes #1\r\n\r\n" + "é" * 60_000)
    assert (first.number, first.url, first.draft, first.said) == (2, repo.pulls[0].url, True, "")
    assert (repo.pulls[0].title, repo.pulls[0].author.login, len(repo.pulls[0].body or "")) == (
        "Mended — 💥",
        BOT,
        60_012,
    )
    assert issue.happened[-1]["source"] is repo.pulls[0]
    assert opened(ours) == first
    assert len(repo.pulls) == 1


def test_one_that_another_opened_meanwhile_is_taken(ours: Any, repo: Repo, hub: Hub) -> None:
    there = repo.pull("swe-agent/issue-1", author=BOT)
    hub.fault("GET", "/pulls$", status=200, body=[])
    assert opened(ours).number == there.number


def test_no_drafts_in_this_plan(ours: Any, repo: Repo) -> None:
    repo.drafts = False
    made = opened(ours)
    assert (made.draft, repo.pulls[0].draft) == (False, False)
    assert made.said


@pytest.mark.parametrize(
    ("change", "kind", "words"),
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
def test_pull_request_that_is_refused(
    ours: Any, repo: Repo, change: Callable[[Repo], Any], kind: type[SweAgentError], words: str
) -> None:
    change(repo)
    with pytest.raises(kind) as caught:
        opened(ours)
    assert words in caught.value.message
    assert repo.pulls == []


@pytest.mark.parametrize("what", ["pull", "comment"])
def test_right_to_write_that_is_missing_is_named(ours: Any, repo: Repo, as_: Callable[..., None], what: str) -> None:
    repo.issue("Boom")
    as_(BOT, issues="read", pull_requests="read")
    with pytest.raises(ConfigError) as caught:
        opened(ours) if what == "pull" else status_comment.update_comment(
            ours, status_comment.StatusComment(1), "Hello."
        )
    assert ("`pull-requests: write`" if what == "pull" else "`issues: write`") in caught.value.fix


def test_comment_under_old_name_is_not_taken_for_said(ours: Any, repo: Repo) -> None:
    issue = repo.issue("Boom")
    repo.rename("abacus")
    for there in (0, 17):
        with pytest.raises(UsageError, match="has changed on GitHub"):
            status_comment.update_comment(ours, status_comment.StatusComment(1, there), "Hello.")
    assert issue.comments == []


def test_page_of_proxy_is_no_pull_request(ours: Any, repo: Repo, hub: Hub) -> None:
    hub.fault("POST", "/pulls$", status=200, raw=b"<html>", headers={"Content-Type": "text/html"})
    with pytest.raises(TryLater, match="invalid answer"):
        opened(ours)


def test_what_may_have_been_done_is_not_sent_twice(ours: Any, repo: Repo, hub: Hub) -> None:
    repo.issue("Boom")
    for path in (r"/pulls$", r"/comments$"):
        hub.fault("POST", path, status=502, times=9)
    with pytest.raises(TryLater):
        opened(ours)
    with pytest.raises(TryLater):
        status_comment.update_comment(ours, status_comment.StatusComment(1), "Hello.")
    assert len(hub.writes) == 2


def test_what_limit_kept_off_is_sent_again(ours: Any, repo: Repo, hub: Hub) -> None:
    repo.issue("Boom")
    for path in (r"/pulls$", r"/comments$"):
        hub.secondary("POST", path, retry_after=0)
    assert opened(ours).number == 2
    assert status_comment.update_comment(ours, status_comment.StatusComment(1), "Hello.").id
    assert (len(repo.pulls), len(repo.numbered[1].comments)) == (1, 1)


def test_one_comment_that_is_kept_up_to_date(ours: Any, repo: Repo) -> None:
    issue = repo.issue("Boom")
    for n in range(31):
        issue.comment("bob", f"comment {n}")
    charge = Charge("7000000001", "2026-01-31T10:00:00Z", 2.0)
    status_comment.hold(ours, status_comment.find(ours, 1, BOT), "Working on it 💪\r\n", charge)
    status_comment.settle(ours, status_comment.find(ours, 1, BOT), "Done: #2.", charge.run, 0.25, pull=2)
    made = [one for one in issue.comments if one.author.login == BOT]
    assert len(made) == 1
    assert "Done: #2." in made[0].body
    assert status_comment.find(ours, 1, BOT).charges[0].spent == 0.25
    made[0].delete()
    assert status_comment.update_comment(ours, status_comment.StatusComment(1, made[0].id), "Again.").id != made[0].id


@pytest.mark.parametrize("text", ["x" * 65_536, "💥" * 65_536, "a\r\n" * 40_000])
def test_comment_that_is_too_long_is_cut(ours: Any, repo: Repo, text: str) -> None:
    issue = repo.issue("Boom")
    status_comment.update_comment(ours, status_comment.StatusComment(1), text)
    assert len(issue.comments[0].body) <= 65_536


def test_locked_issue_takes_words_of_those_who_may_write(
    ours: Any, repo: Repo, as_: Callable[..., None], hub: Hub
) -> None:
    repo.issue("Boom").lock()
    assert status_comment.update_comment(ours, status_comment.StatusComment(1), "Hello.").id
    as_("eve")
    eve = repository(Address(hub.url, repo.full_name))
    with pytest.raises(ConfigError, match="locked"):
        status_comment.update_comment(eve, status_comment.StatusComment(1), "Hello.")


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (lambda hub, issue: issue.delete(), UsageError, "This issue was deleted"),
        (lambda hub, issue: issue.transfer(hub.repo("octo/parser")), UsageError, "has changed on GitHub"),
        (lambda hub, issue: issue.transfer(hub.repo("octo/secret", private=True)), UsageError, "found nothing"),
        (lambda hub, issue: setattr(issue.repo, "has_issues", False), UsageError, "disabled"),
        (lambda hub, issue: setattr(issue.repo, "archived", True), ConfigError, "archived"),
        (lambda hub, issue: hub.rate(f"t-{BOT}"), TryLater, "5000 requests an hour"),
        (lambda hub, issue: hub.secondary("*", "", retry_after=None), TryLater, "asks to wait"),
        (lambda hub, issue: hub.tokens.clear(), ConfigError, "does not know the token"),
        (lambda hub, issue: hub.fault("*", "", status=200, raw=b"<html>", times=9), TryLater, "invalid answer"),
    ],
    ids=["deleted", "transferred", "hidden", "disabled", "archived", "hour", "secondary", "token", "html"],
)
def test_comment_that_is_refused(
    ours: Any, hub: Hub, repo: Repo, change: Callable[[Hub, Any], Any], kind: type[SweAgentError], words: str
) -> None:
    issue = repo.issue("Boom")
    change(hub, issue)
    with pytest.raises(kind) as caught:
        status_comment.update_comment(ours, status_comment.StatusComment(1), "Hello.")
    assert words in caught.value.message
    assert issue.comments == []


def test_answer_in_thread_is_given_once(ours: Any, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_RUN_ID", "7000000001")
    pull = repo.pull("swe-agent/issue-1", author=BOT)
    first = pull.review_comment("ada", "Why? 🤔", "src/a.py", 3)
    pull.review_comment("ada", "/swe-agent why", "src/a.py", 3, reply_to=first)
    about: dict[str, Any] = {"issue": Issue("T"), "asked_by": "ada", "at": "", "base": "", "target": "main"}
    asked = TaskRequest("follow-up", "octo/calc", pull.number, **about, budget=1.0, reply_to=first.id)
    for _ in range(2):
        assert reply(ours, asked, BOT, "Because.") == pull.review[2].url
    assert [said.reply_to for said in pull.review[1:]] == [first, first]
    monkeypatch.setenv("GITHUB_RUN_ID", "7000000002")
    first.delete()
    with pytest.raises(UsageError):
        reply(ours, asked, BOT, "Still.")
