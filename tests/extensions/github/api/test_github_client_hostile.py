"""Reading an issue when GitHub refuses, redirects, limits or fails. Requests must match its API description."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from extensions.github.api.github_issue import fetch_issue
from tests.github_server import Hub, Repo
from trajectories.errors import ConfigError, SweAgentError, TryLater, UsageError

BOT = "github-actions[bot]"
FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f"


def fetch_error(url: str) -> SweAgentError:
    with pytest.raises(SweAgentError) as caught:
        fetch_issue(url)
    assert "\n" not in caught.value.message
    return caught.value


# Reading


def test_issue_is_read_with_comments_references_and_labels(hub: Hub, repo: Repo) -> None:
    repo.permissions["ada"] = "write"
    issue = repo.issue("Boom 💥", "It **breaks**.", author="bob", labels=["bug", "good first issue"])
    issue.comment("ada", "I see it, too.")
    repo.pull("fix", author="eve", title="Fix it", at="2020-01-01T00:00:00Z").mention(issue)
    result = fetch_issue(issue.url)
    assert (result.title, result.body, result.author, result.trust) == ("Boom 💥", "It **breaks**.", "bob", "stranger")
    assert result.labels == ("bug", "good first issue")
    assert [(comment.author, comment.role, comment.trust, comment.about) for comment in result.comments] == [
        ("eve", "NONE", "stranger", "#2, open pull request: Fix it"),
        ("ada", "COLLABORATOR", "member", ""),
    ]


@pytest.mark.parametrize("count", [0, 1, 100, 101, 230])
def test_all_pages_are_read(repo: Repo, count: int) -> None:
    issue = repo.issue("Boom")
    for n in range(count):
        issue.comment("bob", f"comment {n}")
    assert [comment.body for comment in fetch_issue(issue.url).comments] == [f"comment {n}" for n in range(count)]


@pytest.mark.slow
def test_first_and_last_pages_of_many_are_read_with_warning(repo: Repo) -> None:
    issue, warnings = repo.issue("Boom"), list[str]()
    for n in range(1_101):
        issue.comment("bob", str(n))
    bodies = {comment.body for comment in fetch_issue(issue.url, warnings.append).comments}
    assert {"0", "499", "1100"} <= bodies
    assert "550" not in bodies
    assert warnings == ["Only the first and the last of 1101 comments were read."]


@pytest.mark.parametrize(
    "body", [None, "", "x" * 65_536, "é" * 65_536, "👩‍👩‍👧 🏴󠁧󠁢󠁳󠁣󠁴󠁿 ❤️", "a\r\nb\rc\n", "\ud83d", "\x00\x1b[31m"]
)
def test_body_with_unusual_characters_is_read(repo: Repo, body: str | None) -> None:
    issue = repo.issue("Boom", body)
    issue.comment("bob", body or " ")
    result = fetch_issue(issue.url)
    assert len(result.body) >= min(len(body or ""), 65_536) - 3 or "[Left out" in result.body
    assert "\r" not in result.body + result.comments[0].body
    (result.body + result.comments[0].body).encode()


def test_visible_body_is_unchanged(repo: Repo) -> None:
    text = f"Fails:\n\n```py\nx = '<!-- not a comment -->'\n```\n{FAMILY} naïve 日本語"
    assert fetch_issue(repo.issue("Boom", text).url).body == text


@pytest.mark.parametrize(("title", "body"), [(" ", ""), ("​", None)])
def test_empty_issue_is_refused(repo: Repo, title: str, body: str | None) -> None:
    error = fetch_error(repo.issue(title, body).url)
    assert isinstance(error, UsageError)
    assert "is empty" in error.message


def test_deleted_users_are_read_as_ghost(hub: Hub, repo: Repo) -> None:
    hub.user("gone", deleted=True)
    issue = repo.issue("Boom", author="gone")
    issue.comment("gone", "Me too.", association="MEMBER")
    repo.issue("See there", author="gone").mention(issue)
    result = fetch_issue(issue.url)
    assert result.author == "ghost"
    assert {comment.author for comment in result.comments} == {"ghost"}


def test_locked_issue_is_read(repo: Repo) -> None:
    issue = repo.issue("Boom")
    issue.lock()
    assert fetch_issue(issue.url).title == "Boom"


def test_references_from_other_repositories_are_untrusted(hub: Hub, repo: Repo) -> None:
    issue, fork = repo.issue("Boom"), hub.repo("mallory/calc")
    fork.issue("I own this place", author="mallory").mention(issue)
    hub.repo("octo/secret", private=True).issue("Hush").mention(issue)
    assert [(comment.about, comment.trust, comment.role) for comment in fetch_issue(issue.url).comments] == [
        ("mallory/calc#1, open issue: I own this place", "stranger", "")
    ]


def test_pull_request_is_not_accepted_as_issue(repo: Repo) -> None:
    error = fetch_error(repo.pull("fix").url)
    assert isinstance(error, UsageError)
    assert "of a pull request" in error.message


# Redirects


def test_renamed_repository_is_followed(repo: Repo) -> None:
    issue, messages = repo.issue("Boom"), list[str]()
    for n in range(120):
        issue.comment("bob", f"comment {n}")
    old_url = issue.url
    repo.rename("abacus")
    result = fetch_issue(old_url, messages.append)
    assert (result.url, len(result.comments)) == (issue.url, 120)
    assert messages == [f"{old_url} has moved to {issue.url}."]


def test_transferred_issue_is_followed(hub: Hub, repo: Repo) -> None:
    issue = repo.issue("Boom", author="bob")
    issue.comment("ada", "Not ours.")
    moved = issue.transfer(hub.repo("octo/parser"))
    result = fetch_issue(issue.url)
    assert (result.url, [comment.body for comment in result.comments]) == (moved.url, ["Not ours."])


def test_issue_transferred_to_private_repository_is_refused(hub: Hub, repo: Repo) -> None:
    issue = repo.issue("Boom")
    issue.transfer(hub.repo("octo/secret", private=True))
    assert isinstance(fetch_error(issue.url), UsageError)


def test_token_is_not_sent_to_another_server(
    hub: Hub, repo: Repo, sign_in: Callable[..., None], tmp_path: Path
) -> None:
    sign_in("ada")
    with Hub(tmp_path / "other") as other:
        to = other.api.replace("127.0.0.1", "localhost") + "/repos/octo/calc/issues/1"
        body = {"message": "Moved Permanently", "url": to, "documentation_url": "https://docs.github.com"}
        hub.fault("GET", "/issues/1$", status=301, body=body, headers={"Location": to})
        error = fetch_error(repo.issue("Boom").url)
        assert other.requests == []
    assert isinstance(error, ConfigError)
    assert "t-ada" not in f"{error.message} {error.fix}"


@pytest.mark.parametrize("status", [301, 302, 307])
def test_redirect_loop_is_refused(hub: Hub, repo: Repo, status: int) -> None:
    issue = repo.issue("Boom")
    to = f"{hub.api}/repos/octo/calc/issues/1"
    body = {"message": "Moved", "url": to, "documentation_url": "https://docs.github.com"}
    hub.fault("GET", "/issues/1$", status=status, body=body, headers={"Location": to}, times=100)
    assert isinstance(fetch_error(issue.url), (ConfigError, UsageError))


# Errors


def test_unknown_token_is_reported(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_stale")
    error = fetch_error(repo.issue("Boom").url)
    assert isinstance(error, ConfigError)
    assert "GITHUB_TOKEN" in error.fix
    assert "ghp_stale" not in error.message


@pytest.mark.parametrize("private", [False, True])
def test_missing_and_private_issues_give_same_error(repo: Repo, private: bool) -> None:
    url = repo.issue("Boom").url
    repo.private = private
    error = fetch_error(url if private else f"{repo.url}/issues/77")
    assert isinstance(error, UsageError)
    assert "private" in error.message


def test_private_issue_is_read_with_read_access(repo: Repo, sign_in: Callable[..., None]) -> None:
    repo.private = True
    repo.permissions["ada"] = "read"
    sign_in("ada")
    assert fetch_issue(repo.issue("Boom").url).title == "Boom"


def test_missing_permission_is_named(repo: Repo, sign_in: Callable[..., None]) -> None:
    repo.private = True
    sign_in(BOT, contents="read")
    error = fetch_error(repo.issue("Boom").url)
    assert isinstance(error, ConfigError)
    assert "`issues: read`" in error.fix


def test_deleted_issue_and_disabled_issues_are_reported(repo: Repo) -> None:
    issue = repo.issue("Boom")
    issue.delete()
    assert "This issue was deleted" in fetch_error(issue.url).message
    repo.has_issues = False
    assert "Issues has been disabled" in fetch_error(repo.issue("Bang").url).message


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, UsageError), (403, ConfigError), (404, UsageError), (410, UsageError), (422, UsageError), (429, TryLater),
     (451, UsageError), (500, TryLater), (502, TryLater), (503, TryLater)],
)  # fmt: skip
def test_error_message_is_one_line(hub: Hub, repo: Repo, status: int, error: type[SweAgentError]) -> None:
    hub.fault("GET", "/issues/1$", status=status, raw=b'{"message": "No.\\nNever \\u001b[31m"}', times=9)
    assert isinstance(fetch_error(repo.issue("Boom").url), error)


@pytest.mark.parametrize(
    "raw", [b"", b"<html>502</html>", b"[]", b"null", b'{"title": 3}', b'{"a"', b"[" * 90_000, b"\xff"]
)
@pytest.mark.parametrize("status", [200, 404, 502])
def test_malformed_issue_is_reported(hub: Hub, repo: Repo, status: int, raw: bytes) -> None:
    hub.fault("GET", "/issues/1$", status=status, raw=raw, headers={"Content-Type": "text/html"}, times=9)
    fetch_error(repo.issue("Boom").url)


@pytest.mark.parametrize(
    "raw", [b"{}", b"null", b'"x"', b"[null, 3, {}]", b'[{"body": {}, "user": 3, "created_at": null}]']
)
@pytest.mark.parametrize("resource", ["comments", "timeline"])
def test_malformed_list_entries_are_left_out_and_other_answers_reported(
    hub: Hub, repo: Repo, resource: str, raw: bytes
) -> None:
    issue = repo.issue("Boom")
    for n in range(101):
        issue.comment("bob", str(n))
    hub.fault("GET", f"/{resource}$", status=200, raw=raw)
    if raw.startswith(b"["):
        assert fetch_issue(issue.url).title == "Boom"
    else:
        assert isinstance(fetch_error(issue.url), TryLater)


def test_malformed_second_page_is_reported(hub: Hub, repo: Repo) -> None:
    issue = repo.issue("Boom")
    for n in range(101):
        issue.comment("bob", str(n))
    hub.fault("GET", "/comments$", status=200, raw=b"{}", page="2")
    assert isinstance(fetch_error(issue.url), TryLater)
