"""Reading an issue from a GitHub that refuses, moves, counts and forgets; held against its description of the API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.github.api.github_issue import fetch_issue
from tests.github_server import Hub, Repo
from trajectories.errors import ConfigError, SweAgentError, TryLater, UsageError

BOT = "github-actions[bot]"
FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f"


def refusal(url: str) -> SweAgentError:
    with pytest.raises(SweAgentError) as caught:
        fetch_issue(url)
    assert "\n" not in caught.value.message
    return caught.value


# Reading


def test_issue_with_all_that_belongs_to_it(hub: Hub, repo: Repo) -> None:
    repo.permissions["ada"] = "write"
    issue = repo.issue("Boom 💥", "It **breaks**.", author="bob", labels=["bug", "good first issue"])
    issue.comment("ada", "I see it, too.")
    repo.pull("fix", author="eve", title="Mend it", at="2020-01-01T00:00:00Z").refer(issue)
    read = fetch_issue(issue.url)
    assert (read.title, read.body, read.author, read.trust) == ("Boom 💥", "It **breaks**.", "bob", "stranger")
    assert read.labels == ("bug", "good first issue")
    assert [(one.author, one.role, one.trust, one.about) for one in read.comments] == [
        ("eve", "NONE", "stranger", "#2, open pull request: Mend it"),
        ("ada", "COLLABORATOR", "member", ""),
    ]


@pytest.mark.parametrize("count", [0, 1, 100, 101, 230])
def test_all_pages(repo: Repo, count: int) -> None:
    issue = repo.issue("Boom")
    for n in range(count):
        issue.comment("bob", f"comment {n}")
    assert [one.body for one in fetch_issue(issue.url).comments] == [f"comment {n}" for n in range(count)]


@pytest.mark.slow
def test_of_very_many_pages_first_and_last_and_it_is_said(repo: Repo) -> None:
    issue, said = repo.issue("Boom"), list[str]()
    for n in range(1_101):
        issue.comment("bob", str(n))
    bodies = {one.body for one in fetch_issue(issue.url, said.append).comments}
    assert {"0", "499", "1100"} <= bodies
    assert "550" not in bodies
    assert said == ["Only the first and the last of 1101 comments were read."]


@pytest.mark.parametrize(
    "body", [None, "", "x" * 65_536, "é" * 65_536, "👩‍👩‍👧 🏴󠁧󠁢󠁳󠁣󠁴󠁿 ❤️", "a\r\nb\rc\n", "\ud83d", "\x00\x1b[31m"]
)
def test_bodies_of_any_kind(repo: Repo, body: str | None) -> None:
    issue = repo.issue("Boom", body)
    issue.comment("bob", body or " ")
    read = fetch_issue(issue.url)
    assert len(read.body) >= min(len(body or ""), 65_536) - 3 or "[Left out" in read.body
    assert "\r" not in read.body + read.comments[0].body
    (read.body + read.comments[0].body).encode()


def test_body_that_everybody_sees_is_kept_to_letter(repo: Repo) -> None:
    text = f"Fails:\n\n```py\nx = '<!-- not a comment -->'\n```\n{FAMILY} naïve 日本語"
    assert fetch_issue(repo.issue("Boom", text).url).body == text


@pytest.mark.parametrize(("title", "body"), [(" ", ""), ("​", None)])
def test_issue_that_says_nothing(repo: Repo, title: str, body: str | None) -> None:
    error = refusal(repo.issue(title, body).url)
    assert isinstance(error, UsageError)
    assert "is empty" in error.message


def test_users_that_are_gone(hub: Hub, repo: Repo) -> None:
    hub.user("gone", deleted=True)
    issue = repo.issue("Boom", author="gone")
    issue.comment("gone", "Me too.", association="MEMBER")
    repo.issue("See there", author="gone").refer(issue)
    read = fetch_issue(issue.url)
    assert read.author == "ghost"
    assert {one.author for one in read.comments} == {"ghost"}


def test_locked_issue_is_read(repo: Repo) -> None:
    issue = repo.issue("Boom")
    issue.lock()
    assert fetch_issue(issue.url).title == "Boom"


def test_what_is_linked_from_elsewhere_has_no_say(hub: Hub, repo: Repo) -> None:
    issue, theirs = repo.issue("Boom"), hub.repo("mallory/calc")
    theirs.issue("I own this place", author="mallory").refer(issue)
    hub.repo("octo/secret", private=True).issue("Hush").refer(issue)
    assert [(one.about, one.trust, one.role) for one in fetch_issue(issue.url).comments] == [
        ("mallory/calc#1, open issue: I own this place", "stranger", "")
    ]


def test_pull_request_is_no_issue(repo: Repo) -> None:
    error = refusal(repo.pull("fix").url)
    assert isinstance(error, UsageError)
    assert "of a pull request" in error.message


# Moved


def test_renamed(repo: Repo) -> None:
    issue, said = repo.issue("Boom"), list[str]()
    for n in range(120):
        issue.comment("bob", f"comment {n}")
    old = issue.url
    repo.rename("abacus")
    read = fetch_issue(old, said.append)
    assert (read.url, len(read.comments)) == (issue.url, 120)
    assert said == [f"{old} has moved to {issue.url}."]


def test_transferred(hub: Hub, repo: Repo) -> None:
    issue = repo.issue("Boom", author="bob")
    issue.comment("ada", "Not ours.")
    there = issue.transfer(hub.repo("octo/parser"))
    read = fetch_issue(issue.url)
    assert (read.url, [one.body for one in read.comments]) == (there.url, ["Not ours."])


def test_transferred_to_where_nobody_sees_it(hub: Hub, repo: Repo) -> None:
    issue = repo.issue("Boom")
    issue.transfer(hub.repo("octo/secret", private=True))
    assert isinstance(refusal(issue.url), UsageError)


def test_sent_to_another_server_token_stays(hub: Hub, repo: Repo, as_: Callable[..., None], tmp_path: Path) -> None:
    as_("ada")
    with Hub(tmp_path / "other") as other:
        to = other.api.replace("127.0.0.1", "localhost") + "/repos/octo/calc/issues/1"
        body = {"message": "Moved Permanently", "url": to, "documentation_url": "https://docs.github.com"}
        hub.fault("GET", "/issues/1$", status=301, body=body, headers={"Location": to})
        error = refusal(repo.issue("Boom").url)
        assert other.requests == []
    assert isinstance(error, ConfigError)
    assert "t-ada" not in f"{error.message} {error.fix}"


@pytest.mark.parametrize("status", [301, 302, 307])
def test_sent_round_in_circles(hub: Hub, repo: Repo, status: int) -> None:
    issue = repo.issue("Boom")
    to = f"{hub.api}/repos/octo/calc/issues/1"
    body = {"message": "Moved", "url": to, "documentation_url": "https://docs.github.com"}
    hub.fault("GET", "/issues/1$", status=status, body=body, headers={"Location": to}, times=100)
    assert isinstance(refusal(issue.url), (ConfigError, UsageError))


# Refused


def test_token_that_is_not_known(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_stale")
    error = refusal(repo.issue("Boom").url)
    assert isinstance(error, ConfigError)
    assert "GITHUB_TOKEN" in error.fix
    assert "ghp_stale" not in error.message


@pytest.mark.parametrize("private", [False, True])
def test_what_is_not_there_or_private_is_told_alike(repo: Repo, private: bool) -> None:
    url = repo.issue("Boom").url
    repo.private = private
    error = refusal(url if private else f"{repo.url}/issues/77")
    assert isinstance(error, UsageError)
    assert "private" in error.message


def test_private_issue_is_read_with_token_that_may(repo: Repo, as_: Callable[..., None]) -> None:
    repo.private = True
    repo.permissions["ada"] = "read"
    as_("ada")
    assert fetch_issue(repo.issue("Boom").url).title == "Boom"


def test_permission_that_is_missing_is_named(repo: Repo, as_: Callable[..., None]) -> None:
    repo.private = True
    as_(BOT, contents="read")
    error = refusal(repo.issue("Boom").url)
    assert isinstance(error, ConfigError)
    assert "`issues: read`" in error.fix


def test_deleted_issue_and_none_at_all(repo: Repo) -> None:
    issue = repo.issue("Boom")
    issue.delete()
    assert "This issue was deleted" in refusal(issue.url).message
    repo.has_issues = False
    assert "Issues has been disabled" in refusal(repo.issue("Bang").url).message


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, UsageError), (403, ConfigError), (404, UsageError), (410, UsageError), (422, UsageError), (429, TryLater),
     (451, UsageError), (500, TryLater), (502, TryLater), (503, TryLater)],
)  # fmt: skip
def test_each_refusal_is_one_sentence(hub: Hub, repo: Repo, status: int, kind: type[SweAgentError]) -> None:
    hub.fault("GET", "/issues/1$", status=status, raw=b'{"message": "No.\\nNever \\u001b[31m"}', times=9)
    assert isinstance(refusal(repo.issue("Boom").url), kind)


@pytest.mark.parametrize(
    "raw", [b"", b"<html>502</html>", b"[]", b"null", b'{"title": 3}', b'{"a"', b"[" * 90_000, b"\xff"]
)
@pytest.mark.parametrize("status", [200, 404, 502])
def test_answers_that_are_none(hub: Hub, repo: Repo, status: int, raw: bytes) -> None:
    hub.fault("GET", "/issues/1$", status=status, raw=raw, headers={"Content-Type": "text/html"}, times=9)
    refusal(repo.issue("Boom").url)


@pytest.mark.parametrize(
    "raw", [b"{}", b"null", b'"x"', b"[null, 3, {}]", b'[{"body": {}, "user": 3, "created_at": null}]']
)
@pytest.mark.parametrize("where", ["comments", "timeline"])
def test_lists_that_are_none(hub: Hub, repo: Repo, where: str, raw: bytes) -> None:
    issue = repo.issue("Boom")
    for n in range(101):
        issue.comment("bob", str(n))
    hub.fault("GET", f"/{where}$", status=200, raw=raw)
    if raw.startswith(b"["):
        assert fetch_issue(issue.url).title == "Boom"
    else:
        assert isinstance(refusal(issue.url), TryLater)


def test_second_page_that_is_none(hub: Hub, repo: Repo) -> None:
    issue = repo.issue("Boom")
    for n in range(101):
        issue.comment("bob", str(n))
    hub.fault("GET", "/comments$", status=200, raw=b"{}", page="2")
    assert isinstance(refusal(issue.url), TryLater)
