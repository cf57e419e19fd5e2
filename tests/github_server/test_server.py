"""Tests of the fake GitHub server: it follows the API description and detects clients that do not."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from github import Auth, Github, GithubException

from tests.conftest import git
from tests.github_server import Hub, Repo
from tests.github_server.description import description
from tests.github_server.routes import ROUTES

BOT = "github-actions[bot]"
WRITES = {"issues": "write", "pull-requests": "write", "contents": "write"}
WORKFLOW = ".github/workflows/ci.yml"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """octo/calc: main, and swe-agent/issue-1 with one more commit. ada may write, bob may read."""
    work = tmp_path / "work"
    git(tmp_path, "init", "-q", "-b", "main", str(work))
    (work / "src").mkdir()
    (work / "src" / "a.py").write_text("x = 1\n")
    git(work, "add", "-A")
    git(work, "commit", "-q", "-m", "The first commit")
    git(tmp_path, "clone", "-q", "--bare", "work", "calc.git")
    (work / "src" / "a.py").write_text("x = 2\n")
    git(work, "commit", "-q", "-a", "-m", "Fixed")
    git(work, "push", "-q", str(tmp_path / "calc.git"), "HEAD:swe-agent/issue-1")
    with Hub(tmp_path) as hub:
        hub.repo("octo/calc", git=tmp_path / "calc.git").permissions["ada"] = "write"
        hub.token("ada", "ada")
        hub.token("bob", "bob")
        hub.token("app", BOT, permissions=WRITES, app=True)
        yield hub


@pytest.fixture
def repo(hub: Hub) -> Repo:
    return hub.repos["octo/calc"]


def client(hub: Hub, token: str = "", **options: Any) -> Github:
    no_delay = {"seconds_between_requests": None, "seconds_between_writes": None}
    return Github(base_url=hub.api, auth=Auth.Token(token) if token else None, retry=None, **no_delay, **options)


# The description


def test_routes_are_exactly_the_described_ones() -> None:
    described = {(path, method.upper()) for path, methods in description()["paths"].items() for method in methods}
    assert {(route.pattern, route.method) for route in ROUTES} == described
    assert "MIT" in description()["info"]["description"]


@pytest.mark.parametrize(
    ("method", "path", "body", "message"),
    [
        ("GET", "/repos/octo/calc/milestones", None, "no such operation"),
        ("GET", "/repos/octo/calc/issues?sate=open", None, "unknown parameter sate"),
        ("GET", "/repos/octo/calc/issues?state=opened", None, "'opened' is not one of"),
        ("GET", "/repos/octo/calc/issues/one", None, "issue_number"),
        ("POST", "/repos/octo/calc/issues/1/comments", {"body": "Hello.", "draft": True}, "unknown field draft"),
        ("POST", "/repos/octo/calc/issues/1/comments", {"body": 3}, "3 is not of type 'string'"),
    ],
)
def test_undescribed_request_fails_test(tmp_path: Path, method: str, path: str, body: Any, message: str) -> None:
    hub = Hub(tmp_path)
    hub.repo("octo/calc").issue("Boom")
    hub.token("t", "octo")
    requests.request(method, hub.api + path, json=body, headers={"Authorization": "Bearer t"}, timeout=10)
    with pytest.raises(AssertionError, match=message):
        hub.__exit__(None, None, None)


def test_undescribed_answer_fails_test(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.repo("octo/calc").issue("Boom")
    hub.fault("GET", "/issues/1$", status=200, body={"title": "Boom"})
    requests.get(f"{hub.api}/repos/octo/calc/issues/1", timeout=10)
    with pytest.raises(AssertionError, match="'user' is a required property"):
        hub.__exit__(None, None, None)


def test_violation_is_added_to_failing_test(tmp_path: Path) -> None:
    hub, error = Hub(tmp_path), ZeroDivisionError()
    requests.get(f"{hub.api}/nothing", timeout=10)
    hub.__exit__(type(error), error, None)
    assert "no such operation" in error.__notes__[0]


def test_fault_of_proxy_is_not_checked(hub: Hub) -> None:
    hub.fault("GET", "/issues$", status=502, raw=b"<html>")
    assert requests.get(f"{hub.api}/repos/octo/calc/issues", timeout=10).text == "<html>"
    assert requests.get(f"{hub.api}/repos/octo/calc/issues", timeout=10).json() == []


# State


def test_issues_comments_and_labels_can_be_changed(hub: Hub, repo: Repo) -> None:
    issue = repo.issue("Boom", "It breaks.", author="bob", labels=["bug"])
    for n in range(5):
        issue.comment("bob", f"comment {n}")
    repository = client(hub, "app", per_page=2).get_repo("octo/calc")
    thread = repository.get_issue(1)
    assert [comment.body for comment in thread.get_comments()] == [f"comment {n}" for n in range(5)]
    created = thread.create_comment("Hello.")
    created.edit("Good day.")
    created.create_reaction("eyes")
    thread.edit(labels=["bug", "later"])
    thread.remove_from_labels("bug")
    thread.edit(state="closed", state_reason="not_planned")
    assert (issue.comments[-1].body, issue.labels, issue.reason) == ("Good day.", ["later"], "not_planned")
    assert [event.event for event in thread.get_timeline()] == ["labeled", *["commented"] * 6, "closed"]
    assert [match.number for match in repository.get_issues(state="all", labels=["later"])] == [1]
    assert len(list(repository.get_issues_comments())) == 6
    created.delete()
    assert len(issue.comments) == 5


def test_pull_requests_and_review_threads_can_be_changed(hub: Hub, repo: Repo) -> None:
    repo.issue("Boom")
    repository = client(hub, "app").get_repo("octo/calc")
    pull = repository.create_pull(
        base="main", head="octo:swe-agent/issue-1", title="Fixed", body="Fixes #1", draft=True
    )
    assert (pull.number, pull.draft, pull.changed_files, pull.additions) == (2, True, 1, 1)
    assert [file.filename for file in pull.get_files()] == ["src/a.py"]
    assert [commit.commit.message for commit in pull.get_commits()] == ["Fixed"]
    assert [event.source.issue.number for event in repository.get_issue(1).get_timeline()] == [2]
    with pytest.raises(GithubException, match="A pull request already exists for octo:swe-agent/issue-1"):
        repository.create_pull(base="main", head="swe-agent/issue-1", title="Again")
    question = repo.pulls[0].review_comment("ada", "Why?", "src/a.py", 1)
    pull.create_review_comment_reply(question.id, "Because.")
    assert [(comment.body, comment.in_reply_to_id) for comment in pull.get_review_comments()] == [
        ("Why?", None),
        ("Because.", question.id),
    ]
    pull.edit(state="closed")
    assert list(repository.get_pulls()) == []
    assert [match.number for match in client(hub).search_issues("repo:octo/calc is:pr author:app/github-actions")] == [
        2
    ]


def test_files_branches_commits_and_runs_are_readable(hub: Hub, repo: Repo) -> None:
    repository = client(hub, "app").get_repo("octo/calc")
    head = repository.get_branch("swe-agent/issue-1").commit.sha
    assert (
        head
        == repository.get_git_ref("heads/swe-agent/issue-1").object.sha
        == repository.get_commit("swe-agent/issue-1").sha
    )
    assert repository.get_contents("src/a.py", ref=head).decoded_content == b"x = 2\n"
    assert [entry.path for entry in repository.get_contents("src")] == ["src/a.py"]
    assert [entry.path for entry in repository.get_git_tree("main", recursive=True).tree] == ["src", "src/a.py"]
    assert repository.compare("main", "swe-agent/issue-1").ahead_by == 1
    repo.run(7, event="workflow_dispatch")
    assert repository.get_workflow_run(7).head_repository.full_name == "octo/calc"


def test_every_webhook_is_as_described(hub: Hub, repo: Repo) -> None:
    issue, pull = repo.issue("Boom", author="bob"), repo.pull("swe-agent/issue-1", author=BOT)
    assert hub.event("issues", "labeled", issue, actor="ada", label="swe-agent")["sender"]["login"] == "ada"
    assert hub.event("issues", "opened", issue)["issue"]["user"]["login"] == "bob"
    assert "pull_request" not in hub.event("issue_comment", "created", issue.comment("bob", "Yes."))["issue"]
    assert "pull_request" in hub.event("issue_comment", "created", pull.comment("ada", "No."))["issue"]
    comment = pull.review_comment("ada", "Why?", "src/a.py", 1)
    assert hub.event("pull_request_review_comment", "created", comment)["comment"]["path"] == "src/a.py"
    assert hub.event("workflow_dispatch", "", repo, actor="ada", inputs={"issue": "1"})["inputs"] == {"issue": "1"}


# Access


@pytest.mark.parametrize(
    ("login", "expected"), [("octo", "admin"), ("ada", "write"), ("bob", "read"), ("eve", None), (BOT, None)]
)
def test_permission_of_user_is_reported(hub: Hub, login: str, expected: str | None) -> None:
    repository = client(hub, "app").get_repo("octo/calc")
    if expected:
        assert repository.get_collaborator_permission(login) == expected
        return
    with pytest.raises(GithubException, match="is not a user"):
        repository.get_collaborator_permission(login)


@pytest.mark.parametrize(
    ("token", "status", "message"),
    [
        ("", 401, "Requires authentication"),
        ("stale", 401, "Bad credentials"),
        ("reads", 403, "Resource not accessible by integration"),
        ("fine", 403, "Resource not accessible by personal access token"),
        ("app", 201, ""),
        ("bob", 201, ""),
    ],
)
def test_comment_needs_authorised_token(hub: Hub, repo: Repo, token: str, status: int, message: str) -> None:
    repo.issue("Boom")
    hub.token("reads", BOT, permissions={"issues": "read", "pull-requests": "write"}, app=True)
    hub.token("fine", "ada", permissions={"contents": "write"})
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    response = requests.post(
        f"{hub.api}/repos/octo/calc/issues/1/comments", json={"body": "Hello."}, headers=headers, timeout=10
    )
    assert (response.status_code, response.json().get("message", "")) == (status, message)
    if status == 403:
        assert response.headers["X-Accepted-GitHub-Permissions"] == "issues=write; pull_requests=write"


def test_private_repository_is_hidden_from_others(hub: Hub, repo: Repo) -> None:
    repo.private = True
    repo.issue("Hush")
    for token in ("", "bob"):
        with pytest.raises(GithubException, match="404"):
            client(hub, token).get_repo("octo/calc")
    assert client(hub, "ada").get_repo("octo/calc").get_issue(1).title == "Hush"


# Git


def push_commit(hub: Hub, repo: Repo, folder: Path, token: str, to: str, path: str = "b.py") -> str:
    """Push a new commit and return git's error, or "" if it was accepted."""
    work = folder / "work"
    (work / path).parent.mkdir(parents=True, exist_ok=True)
    (work / path).write_text("y: 1\n")
    git(work, "add", "-A")
    git(work, "commit", "-q", "--allow-empty", "-m", "More")
    url = hub.clone_url(repo).replace("//", f"//x-access-token:{token}@")
    command = ["git", "-C", str(work), "push", "-q", url, f"HEAD:refs/heads/{to}"]
    process = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (process.returncode == 0) == (repo.sha(f"refs/heads/{to}") == git(work, "rev-parse", "HEAD"))
    return process.stderr if process.returncode else ""


def test_public_repository_can_be_cloned_by_anyone(hub: Hub, repo: Repo, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", hub.clone_url(repo), "clone")
    assert (tmp_path / "clone" / "src" / "a.py").read_text() == "x = 1\n"


@pytest.mark.parametrize(
    ("token", "to", "path", "message"),
    [
        ("app", "swe-agent/issue-2", "b.py", ""),
        ("app", "swe-agent/issue-1", "b.py", ""),
        ("ada", "swe-agent/issue-2", WORKFLOW, ""),
        ("app", "main", "b.py", "protected branch hook declined"),
        ("ada", "release-1", "b.py", "push declined due to repository rule violations"),
        (
            "app",
            "swe-agent/issue-2",
            WORKFLOW,
            f"update workflow `{WORKFLOW}` without `workflows` permission",
        ),
        ("bob", "swe-agent/issue-2", "b.py", "Permission to octo/calc.git denied to bob"),
        ("reads", "swe-agent/issue-2", "b.py", f"Permission to octo/calc.git denied to {BOT}"),
        ("stale", "swe-agent/issue-2", "b.py", "Invalid username or token"),
    ],
    ids=["new", "on", "own-workflow", "protected", "ruleset", "workflow", "reader", "read-only", "stale"],
)
def test_push_is_checked_for_access_and_protection(
    hub: Hub, repo: Repo, tmp_path: Path, token: str, to: str, path: str, message: str
) -> None:
    repo.protected.add("main")
    repo.rulesets.add("release-*")
    hub.token("reads", BOT, permissions={"contents": "read"}, app=True)
    error = push_commit(hub, repo, tmp_path, token, to, path)
    assert message in error if message else error == ""
