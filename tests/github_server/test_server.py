"""The stand-in for GitHub itself: that it keeps to the description, and that nobody who does not gets past it."""

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
    """octo/calc: main, and swe-agent/issue-1 with a commit more. ada may write, bob reads."""
    work = tmp_path / "work"
    git(tmp_path, "init", "-q", "-b", "main", str(work))
    (work / "src").mkdir()
    (work / "src" / "a.py").write_text("x = 1\n")
    git(work, "add", "-A")
    git(work, "commit", "-q", "-m", "The first commit")
    git(tmp_path, "clone", "-q", "--bare", "work", "calc.git")
    (work / "src" / "a.py").write_text("x = 2\n")
    git(work, "commit", "-q", "-a", "-m", "Mended")
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
    at_once = {"seconds_between_requests": None, "seconds_between_writes": None}
    return Github(base_url=hub.api, auth=Auth.Token(token) if token else None, retry=None, **at_once, **options)


# The description


def test_it_answers_what_is_described_and_nothing_else() -> None:
    described = {(path, method.upper()) for path, methods in description()["paths"].items() for method in methods}
    assert {(route.pattern, route.method) for route in ROUTES} == described
    assert "MIT" in description()["info"]["description"]


@pytest.mark.parametrize(
    ("method", "path", "body", "told"),
    [
        ("GET", "/repos/octo/calc/milestones", None, "no such operation"),
        ("GET", "/repos/octo/calc/issues?sate=open", None, "unknown parameter sate"),
        ("GET", "/repos/octo/calc/issues?state=opened", None, "'opened' is not one of"),
        ("GET", "/repos/octo/calc/issues/one", None, "issue_number"),
        ("POST", "/repos/octo/calc/issues/1/comments", {"body": "Hello.", "draft": True}, "unknown field draft"),
        ("POST", "/repos/octo/calc/issues/1/comments", {"body": 3}, "3 is not of type 'string'"),
    ],
)
def test_request_that_is_not_as_described_fails_test(
    tmp_path: Path, method: str, path: str, body: Any, told: str
) -> None:
    hub = Hub(tmp_path)
    hub.repo("octo/calc").issue("Boom")
    hub.token("t", "octo")
    requests.request(method, hub.api + path, json=body, headers={"Authorization": "Bearer t"}, timeout=10)
    with pytest.raises(AssertionError, match=told):
        hub.__exit__(None, None, None)


def test_answer_that_is_not_as_described_fails_test(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.repo("octo/calc").issue("Boom")
    hub.fault("GET", "/issues/1$", status=200, body={"title": "Boom"})
    requests.get(f"{hub.api}/repos/octo/calc/issues/1", timeout=10)
    with pytest.raises(AssertionError, match="'user' is a required property"):
        hub.__exit__(None, None, None)


def test_test_that_fails_anyway_hears_of_it(tmp_path: Path) -> None:
    hub, error = Hub(tmp_path), ZeroDivisionError()
    requests.get(f"{hub.api}/nothing", timeout=10)
    hub.__exit__(type(error), error, None)
    assert "no such operation" in error.__notes__[0]


def test_fault_between_github_and_us_is_not_github_s(hub: Hub) -> None:
    hub.fault("GET", "/issues$", status=502, raw=b"<html>")
    assert requests.get(f"{hub.api}/repos/octo/calc/issues", timeout=10).text == "<html>"
    assert requests.get(f"{hub.api}/repos/octo/calc/issues", timeout=10).json() == []


# What is there


def test_issues_and_what_is_said_on_them(hub: Hub, repo: Repo) -> None:
    issue = repo.issue("Boom", "It breaks.", author="bob", labels=["bug"])
    for n in range(5):
        issue.comment("bob", f"comment {n}")
    there = client(hub, "app", per_page=2).get_repo("octo/calc")
    one = there.get_issue(1)
    assert [said.body for said in one.get_comments()] == [f"comment {n}" for n in range(5)]
    made = one.create_comment("Hello.")
    made.edit("Good day.")
    made.create_reaction("eyes")
    one.edit(labels=["bug", "later"])
    one.remove_from_labels("bug")
    one.edit(state="closed", state_reason="not_planned")
    assert (issue.comments[-1].body, issue.labels, issue.reason) == ("Good day.", ["later"], "not_planned")
    assert [event.event for event in one.get_timeline()] == ["labeled", *["commented"] * 6, "closed"]
    assert [found.number for found in there.get_issues(state="all", labels=["later"])] == [1]
    assert len(list(there.get_issues_comments())) == 6
    made.delete()
    assert len(issue.comments) == 5


def test_pull_requests_and_their_threads(hub: Hub, repo: Repo) -> None:
    repo.issue("Boom")
    there = client(hub, "app").get_repo("octo/calc")
    one = there.create_pull(base="main", head="octo:swe-agent/issue-1", title="Mended", body="Fixes #1", draft=True)
    assert (one.number, one.draft, one.changed_files, one.additions) == (2, True, 1, 1)
    assert [file.filename for file in one.get_files()] == ["src/a.py"]
    assert [commit.commit.message for commit in one.get_commits()] == ["Mended"]
    assert [event.source.issue.number for event in there.get_issue(1).get_timeline()] == [2]
    with pytest.raises(GithubException, match="A pull request already exists for octo:swe-agent/issue-1"):
        there.create_pull(base="main", head="swe-agent/issue-1", title="Again")
    asked = repo.pulls[0].review_comment("ada", "Why?", "src/a.py", 1)
    one.create_review_comment_reply(asked.id, "Because.")
    assert [(said.body, said.in_reply_to_id) for said in one.get_review_comments()] == [
        ("Why?", None),
        ("Because.", asked.id),
    ]
    one.edit(state="closed")
    assert list(there.get_pulls()) == []
    assert [found.number for found in client(hub).search_issues("repo:octo/calc is:pr author:app/github-actions")] == [
        2
    ]


def test_files_branches_and_commits(hub: Hub, repo: Repo) -> None:
    there = client(hub, "app").get_repo("octo/calc")
    head = there.get_branch("swe-agent/issue-1").commit.sha
    assert head == there.get_git_ref("heads/swe-agent/issue-1").object.sha == there.get_commit("swe-agent/issue-1").sha
    assert there.get_contents("src/a.py", ref=head).decoded_content == b"x = 2\n"
    assert [entry.path for entry in there.get_contents("src")] == ["src/a.py"]
    assert [entry.path for entry in there.get_git_tree("main", recursive=True).tree] == ["src", "src/a.py"]
    assert there.compare("main", "swe-agent/issue-1").ahead_by == 1
    repo.run(7, event="workflow_dispatch")
    assert there.get_workflow_run(7).head_repository.full_name == "octo/calc"


def test_every_webhook_is_as_described(hub: Hub, repo: Repo) -> None:
    issue, pull = repo.issue("Boom", author="bob"), repo.pull("swe-agent/issue-1", author=BOT)
    assert hub.event("issues", "labeled", issue, actor="ada", label="swe-agent")["sender"]["login"] == "ada"
    assert hub.event("issues", "opened", issue)["issue"]["user"]["login"] == "bob"
    assert "pull_request" not in hub.event("issue_comment", "created", issue.comment("bob", "Yes."))["issue"]
    assert "pull_request" in hub.event("issue_comment", "created", pull.comment("ada", "No."))["issue"]
    said = pull.review_comment("ada", "Why?", "src/a.py", 1)
    assert hub.event("pull_request_review_comment", "created", said)["comment"]["path"] == "src/a.py"
    assert hub.event("workflow_dispatch", "", repo, actor="ada", inputs={"issue": "1"})["inputs"] == {"issue": "1"}


# Who may


@pytest.mark.parametrize(
    ("login", "expected"), [("octo", "admin"), ("ada", "write"), ("bob", "read"), ("eve", None), (BOT, None)]
)
def test_permission_of_somebody(hub: Hub, login: str, expected: str | None) -> None:
    there = client(hub, "app").get_repo("octo/calc")
    if expected:
        assert there.get_collaborator_permission(login) == expected
        return
    with pytest.raises(GithubException, match="is not a user"):
        there.get_collaborator_permission(login)


@pytest.mark.parametrize(
    ("token", "status", "said"),
    [
        ("", 401, "Requires authentication"),
        ("stale", 401, "Bad credentials"),
        ("reads", 403, "Resource not accessible by integration"),
        ("fine", 403, "Resource not accessible by personal access token"),
        ("app", 201, ""),
        ("bob", 201, ""),
    ],
)
def test_who_may_comment(hub: Hub, repo: Repo, token: str, status: int, said: str) -> None:
    repo.issue("Boom")
    hub.token("reads", BOT, permissions={"issues": "read", "pull-requests": "write"}, app=True)
    hub.token("fine", "ada", permissions={"contents": "write"})
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    found = requests.post(
        f"{hub.api}/repos/octo/calc/issues/1/comments", json={"body": "Hello."}, headers=headers, timeout=10
    )
    assert (found.status_code, found.json().get("message", "")) == (status, said)
    if status == 403:
        assert found.headers["X-Accepted-GitHub-Permissions"] == "issues=write; pull_requests=write"


def test_what_is_private_is_not_there_for_others(hub: Hub, repo: Repo) -> None:
    repo.private = True
    repo.issue("Hush")
    for token in ("", "bob"):
        with pytest.raises(GithubException, match="404"):
            client(hub, token).get_repo("octo/calc")
    assert client(hub, "ada").get_repo("octo/calc").get_issue(1).title == "Hush"


# Git


def push(hub: Hub, repo: Repo, folder: Path, token: str, to: str, path: str = "b.py") -> str:
    """What git says of pushing a new commit; "" where it was taken."""
    work = folder / "work"
    (work / path).parent.mkdir(parents=True, exist_ok=True)
    (work / path).write_text("y: 1\n")
    git(work, "add", "-A")
    git(work, "commit", "-q", "--allow-empty", "-m", "More")
    url = hub.clone_url(repo).replace("//", f"//x-access-token:{token}@")
    pushed = ["git", "-C", str(work), "push", "-q", url, f"HEAD:refs/heads/{to}"]
    done = subprocess.run(pushed, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode == 0) == (repo.sha(f"refs/heads/{to}") == git(work, "rev-parse", "HEAD"))
    return done.stderr if done.returncode else ""


def test_anybody_clones_what_is_public(hub: Hub, repo: Repo, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", hub.clone_url(repo), "clone")
    assert (tmp_path / "clone" / "src" / "a.py").read_text() == "x = 1\n"


@pytest.mark.parametrize(
    ("token", "to", "path", "told"),
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
def test_who_may_push_what(hub: Hub, repo: Repo, tmp_path: Path, token: str, to: str, path: str, told: str) -> None:
    repo.protected.add("main")
    repo.rulesets.add("release-*")
    hub.token("reads", BOT, permissions={"contents": "read"}, app=True)
    said = push(hub, repo, tmp_path, token, to, path)
    assert told in said if told else said == ""
